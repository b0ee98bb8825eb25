"""What a callback may do with its context, and what it cannot hide."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from clicklib import Input, Persist, define_group
from clicklib.codec import Int64, Json, String
from clicklib.context import Context
from clicklib.errors import CallbackError, CodecError, DataError, UsageError
from clicklib.tester import Tester


class NotBytes:
    """A codec that breaks its promise."""

    def encode(self, value: Any) -> Any:
        return value

    def decode(self, data: bytes) -> Any:
        return data


def counting(callback: Callable[[Context, Any], None], codec: Any = None) -> Tester:
    edge = Input("clicks", String(), callback)
    return Tester(define_group("g", edge, Persist(codec or Int64())), partitions=10)


def test_it_shows_the_message() -> None:
    seen: list[Any] = []

    def callback(ctx: Context, msg: str) -> None:
        seen.append((ctx.key, ctx.topic, ctx.group, ctx.partition, ctx.offset, ctx.timestamp, msg))
        seen.append(ctx.headers)

    clicks = counting(callback)
    clicks.consume("clicks", "key1", "now", times=2, headers={"h": b"1", "n": b""}, timestamp=17)
    assert seen == [
        ("key1", "clicks", "g", 3, 0, 17, "now"),
        {"h": b"1", "n": b""},
        ("key1", "clicks", "g", 3, 1, 17, "now"),
        {"h": b"1", "n": b""},
    ]


def test_a_value_that_was_set_is_read_at_once() -> None:
    seen: list[Any] = []

    def callback(ctx: Context, msg: str) -> None:
        seen.append(ctx.value())
        ctx.set_value(len(seen))
        seen.append(ctx.value())

    clicks = counting(callback)
    clicks.consume("clicks", "a", "now", times=2)
    assert seen == [None, 1, 1, 3]
    assert clicks.table() == {"a": 3}


def test_the_last_of_several_values_counts() -> None:
    clicks = counting(lambda ctx, msg: [ctx.set_value(i) for i in range(5)])
    clicks.consume("clicks", "a", "now")
    assert clicks.table() == {"a": 4}


def test_changing_an_object_without_setting_it_changes_nothing() -> None:
    def callback(ctx: Context, msg: str) -> None:
        ctx.set_value(["a"])
        ctx.value().append("b")
        assert ctx.value() == ["a"]

    clicks = counting(callback, Json())
    clicks.consume("clicks", "a", "now")
    assert clicks.table() == {"a": ["a"]}


def test_a_deleted_row_is_gone_and_can_be_set_again() -> None:
    seen: list[Any] = []

    def callback(ctx: Context, msg: str) -> None:
        if msg == "delete":
            ctx.delete()
        else:
            ctx.set_value(int(msg))
        seen.append(ctx.value())

    clicks = counting(callback)
    for msg in ("1", "delete", "delete", "2"):
        clicks.consume("clicks", "a", msg)
    assert seen == [1, None, None, 2]
    assert clicks.table() == {"a": 2}


def test_each_key_has_a_value_of_its_own() -> None:
    clicks = counting(lambda ctx, msg: ctx.set_value(int(msg)))
    for key in ("", "a", "caf\udce9", "k" * 600):
        clicks.consume("clicks", key, str(len(key)))
    assert clicks.table() == {"": 0, "a": 1, "caf\udce9": 4, "k" * 600: 600}


USES = [
    pytest.param(lambda ctx: ctx.key, id="key"),
    pytest.param(lambda ctx: ctx.topic, id="topic"),
    pytest.param(lambda ctx: ctx.partition, id="partition"),
    pytest.param(lambda ctx: ctx.offset, id="offset"),
    pytest.param(lambda ctx: ctx.timestamp, id="timestamp"),
    pytest.param(lambda ctx: ctx.headers, id="headers"),
    pytest.param(lambda ctx: ctx.value(), id="value"),
    pytest.param(lambda ctx: ctx.set_value(7), id="set_value"),
    pytest.param(lambda ctx: ctx.set_value("text"), id="set_value to what cannot be encoded"),
    pytest.param(lambda ctx: ctx.delete(), id="delete"),
    pytest.param(lambda ctx: ctx.fail("late"), id="fail"),
    pytest.param(lambda ctx: ctx.fail(ValueError("late")), id="fail with a cause"),
]


@pytest.mark.parametrize("msg", ["now", "raise"])
@pytest.mark.parametrize("use", USES)
def test_a_context_that_was_kept_is_of_no_use_and_does_no_harm(
    use: Callable[[Context], Any], msg: str
) -> None:
    kept: list[Context] = []

    def callback(ctx: Context, msg: str) -> None:
        kept.append(ctx)
        ctx.set_value((ctx.value() or 0) + 1)
        if msg == "raise":
            raise ValueError

    clicks = counting(callback)
    with contextlib.suppress(CallbackError):
        clicks.consume("clicks", "a", msg)
    before = clicks.table()
    with pytest.raises(UsageError, match="good only until its callback returns"):
        use(kept[0])
    assert clicks.table() == before
    clicks.consume("clicks", "a", "now")
    assert clicks.table() == {"a": before.get("a", 0) + 1}


# Errors: each stops at its message, with its place, whatever the callback does about it.


def fail(ctx: Context) -> None:
    ctx.fail("enough")


def fail_with_cause(ctx: Context) -> None:
    ctx.fail(ValueError("enough"))


def set_text(ctx: Context) -> None:
    ctx.set_value("text")


def read_garbage(ctx: Context) -> None:
    ctx.value()


CONTEXT_ERRORS = [
    pytest.param(fail, CallbackError, "enough", id="fail"),
    pytest.param(fail_with_cause, CallbackError, "enough", id="fail with a cause"),
    pytest.param(set_text, CodecError, "cannot encode 'text'", id="encode"),
    pytest.param(read_garbage, CodecError, "cannot decode b'garbage'", id="decode"),
]


def with_garbage(callback: Callable[[Context, Any], None]) -> Tester:
    """A table whose row of `a` no codec can read."""
    clicks = counting(callback)
    clicks._stores[6].write({b"a": b"garbage"}, 1)
    return clicks


@pytest.mark.parametrize(("act", "kind", "words"), CONTEXT_ERRORS)
def test_an_error_names_its_place(
    act: Callable[[Context], None], kind: type[DataError], words: str
) -> None:
    with pytest.raises(kind, match=words) as raised:
        with_garbage(lambda ctx, msg: act(ctx)).consume("clicks", "a", "now")
    error = raised.value
    assert (error.topic, error.partition, error.offset, error.key) == ("clicks", 6, 0, "a")


@pytest.mark.parametrize(("act", "kind", "words"), CONTEXT_ERRORS)
def test_an_error_that_the_callback_swallows_stops_it_all_the_same(
    act: Callable[[Context], None], kind: type[DataError], words: str
) -> None:
    def callback(ctx: Context, msg: str) -> None:
        try:
            act(ctx)
        except Exception:
            ctx.set_value(1)

    clicks = with_garbage(callback)
    with pytest.raises(kind, match=words):
        clicks.consume("clicks", "a", "now")
    assert clicks._stores[6].get(b"a") == b"garbage"


@pytest.mark.parametrize(("act", "kind", "words"), CONTEXT_ERRORS)
def test_the_first_error_counts_when_the_callback_raises_another(
    act: Callable[[Context], None], kind: type[DataError], words: str
) -> None:
    def callback(ctx: Context, msg: str) -> None:
        try:
            act(ctx)
        finally:
            raise KeyError("another")

    with pytest.raises(kind, match=words):
        with_garbage(callback).consume("clicks", "a", "now")


def test_the_reason_of_a_failure_is_its_cause() -> None:
    reason = ValueError("enough")
    with pytest.raises(CallbackError) as raised:
        counting(lambda ctx, msg: ctx.fail(reason)).consume("clicks", "a", "now")
    assert raised.value.__cause__ is reason


@pytest.mark.parametrize("exc", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_whatever_a_callback_raises_becomes_a_callback_error(exc: type[BaseException]) -> None:
    def callback(ctx: Context, msg: str) -> None:
        raise exc("no")

    with pytest.raises(CallbackError, match=exc.__name__) as raised:
        counting(callback).consume("clicks", "a", "now")
    assert isinstance(raised.value.__cause__, exc)
    assert raised.value.key == "a"


@pytest.mark.parametrize("value", ["text", bytearray(b"x"), None])
def test_a_codec_that_encodes_to_something_else_is_noticed(value: Any) -> None:
    with pytest.raises(CodecError, match=f"{type(value).__name__}, not bytes"):
        counting(lambda ctx, msg: ctx.set_value(value), NotBytes()).consume("clicks", "a", "now")


def test_a_long_value_is_cut_in_the_message_of_an_error() -> None:
    with pytest.raises(CodecError) as raised:
        counting(lambda ctx, msg: ctx.set_value("x" * 10_000)).consume("clicks", "a", "now")
    assert len(str(raised.value)) < 300


class Unspeakable(Exception):
    """Raises when it is to be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no words")

    __str__ = __repr__


@pytest.mark.parametrize("act", ["set", "fail"])
def test_an_error_about_what_cannot_be_shown_is_not_hidden(act: str) -> None:
    def callback(ctx: Context, msg: str) -> None:
        try:
            ctx.set_value(Unspeakable()) if act == "set" else ctx.fail(Unspeakable())
        except Exception:
            return

    with pytest.raises(DataError, match="<Unspeakable>"):
        counting(callback).consume("clicks", "a", "now")
