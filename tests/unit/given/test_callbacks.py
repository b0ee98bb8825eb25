"""A callback whose call does no work is refused: at once, or when its first message comes."""

from __future__ import annotations

import gc
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import pytest

from clicklib import Input, Int64, Persist, Processor, String, Tester, View, define_group
from clicklib.client.answers import Answers
from clicklib.client.answers import Promise as EmitterPromise
from clicklib.errors import CallbackError, UsageError
from clicklib.table import update_caller
from tests.support.records import clicks
from tests.unit.engine.test_worker import Bench


async def coroutine(*args: Any) -> None:
    if len(args) == 2 and hasattr(args[0], "set_value"):
        args[0].set_value(1)


def generator(*args: Any) -> Any:
    yield


async def async_generator(*args: Any) -> Any:
    yield


class Calls:
    async def __call__(self, *args: Any) -> None:
        pass

    async def method(self, *args: Any) -> None:
        pass

    def generates(self, *args: Any) -> Any:
        yield


class Generates:
    def __call__(self, *args: Any) -> Any:
        yield


class Promise:
    def __await__(self) -> Any:
        yield


DEFERRED = {
    "async def": coroutine,
    "a generator function": generator,
    "an async generator": async_generator,
    "a partial": partial(coroutine),
    "a partial of a partial": partial(partial(generator)),
    "an async method": Calls().method,
    "a generator method": Calls().generates,
    "an async __call__": Calls(),
    "a partial of an async __call__": partial(Calls()),
    "a generator as __call__": Generates(),
}


def _half(ctx: Any, msg: Any) -> Any:
    ctx.set_value(1)
    return coroutine()


RETURNED: dict[str, Callable[..., Any]] = {
    "a lambda with a coroutine": lambda *args: coroutine(*args),
    "a lambda with a generator": lambda *args: generator(*args),
    "a lambda with an async generator": lambda *args: async_generator(*args),
    "a class with __await__": lambda *args: Promise(),
    "the future of a pool": lambda *args: Future(),
    "a map that nobody reads": lambda *args: map(print, args),
    "a filter that nobody reads": lambda *args: filter(print, args),
}

each_deferred = pytest.mark.parametrize("function", DEFERRED.values(), ids=DEFERRED)
each_returned = pytest.mark.parametrize("function", RETURNED.values(), ids=RETURNED)


def graph(callback: Any) -> Any:
    return define_group("g", Input("clicks", String(), callback), Persist(Int64()))


@each_deferred
@pytest.mark.parametrize(
    "take",
    [
        lambda function: Input("clicks", String(), function),
        lambda function: View("localhost:1", "g-table", Int64(), on_update=function),
        lambda function: Processor("localhost:1", graph(print), on_update=function),
        lambda function: Processor("localhost:1", graph(print), on_rebalance=function),
    ],
    ids=["Input", "View on_update", "Processor on_update", "on_rebalance"],
)
def test_what_only_seems_to_run_is_refused_where_it_is_given(
    take: Callable[[Any], Any], function: Any
) -> None:
    with pytest.raises(UsageError, match=r"an? (async|generator) function.*plain function"):
        take(function)


class AsyncCodec:
    async def encode(self, value: Any) -> bytes:
        return b""

    async def decode(self, data: bytes) -> Any:
        return None


@pytest.mark.parametrize("take", [lambda c: Input("clicks", c, print), Persist])
def test_a_codec_with_async_methods_is_refused(take: Callable[[Any], Any]) -> None:
    with pytest.raises(UsageError, match=r"codec has a method encode that is an async function"):
        take(AsyncCodec())


@each_returned
def test_the_tester_refuses_an_awaitable_or_a_generator(function: Any) -> None:
    tester = Tester(graph(function))
    with pytest.raises(CallbackError, match="whose work is not done") as caught:
        tester.consume("clicks", "user-3", "now")
    assert (caught.value.topic, caught.value.offset, caught.value.key) == ("clicks", 0, "user-3")
    gc.collect()  # a coroutine that was never awaited would warn, and warnings are errors


def test_what_was_set_before_it_is_undone() -> None:
    tester = Tester(graph(_half))
    with pytest.raises(CallbackError):
        tester.consume("clicks", "user-3", "now")
    assert tester.table() == {}


@each_returned
def test_a_worker_leaves_its_message_uncommitted(function: Any) -> None:
    def callback(ctx: Any, msg: str) -> Any:
        ctx.set_value(1)
        return function(ctx, msg) if ctx.offset == 2 else None

    bench = Bench(callback)
    bench.give(clicks(["a", "b", "c"]))
    _, offsets = bench.batch()
    bench.worker.answer(2)
    assert bench.ended()
    assert (offsets, bench.task.handled) == ({"clicks": 2}, 2)
    assert [type(error) for error in bench.errors] == [CallbackError]


@each_returned
def test_on_update_must_do_its_work(function: Any) -> None:
    tell = update_caller(function, Int64(), "g-table")
    assert tell is not None
    with pytest.raises(CallbackError, match="on_update returned"):
        tell(0, {b"user-3": b"1"})


@each_returned
def test_on_rebalance_must_do_its_work(function: Any) -> None:
    processor = Processor("localhost:1", graph(print), on_rebalance=function)
    with pytest.raises(CallbackError, match="on_rebalance returned"):
        processor._rebalanced((0, 1))


@pytest.mark.parametrize(
    "returned",
    [7, "text", [1], print, object(), iter([1]), EmitterPromise(Answers([b"user-3"]), 0)],
)
def test_any_other_value_may_be_returned(returned: Any) -> None:
    tester = Tester(graph(lambda ctx, msg: returned))
    tester.consume("clicks", "user-3", "now")
