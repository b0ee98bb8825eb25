"""Promises: futures that are made up only when somebody looks at them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, as_completed, wait
from typing import Any

import pytest

from clicklib.client import answers as module
from clicklib.client.answers import Answers, Promise
from tests.waiting import wait_until

KEYS = [b"a", b"b", b"c"]
USES: dict[str, Callable[[Promise], Any]] = {
    "done": lambda promise: promise.done(),
    "running": lambda promise: promise.running(),
    "result": lambda promise: promise.result(0),
    "add_done_callback": lambda promise: promise.add_done_callback(print),
    "repr": repr,
    "wait": lambda promise: wait([promise], 0),
}


def promises() -> tuple[Answers, list[Promise]]:
    answers = Answers(list(KEYS), 7)
    return answers, [Promise(answers, number) for number in range(len(KEYS))]


def test_a_promise_costs_nothing_until_somebody_looks() -> None:
    answers, (first, second, _) = promises()
    assert isinstance(first, Future)
    assert not vars(first)
    assert not first.done()
    assert vars(first)
    answers.put(0, range(40, 43))
    assert (first.done(), vars(second)) == (True, {})


@pytest.mark.parametrize("early", USES)
def test_a_promise_is_a_future_whatever_is_asked_of_it_first(early: str) -> None:
    answers, (promise, refused, _) = promises()
    for each in (promise, refused):
        try:
            USES[early](each)
        except TimeoutError:
            assert early == "result"
        assert each.running()
        assert not each.cancel()
        assert not each.done()
    error = OSError("gone")
    answers.put(0, [40, error, 42])
    assert promise.result() == (7, 40)
    assert promise.exception() is None
    assert refused.exception() is error
    assert refused.done()
    assert not promise.cancelled()


def test_a_promise_that_is_looked_at_late_has_its_result() -> None:
    answers, (first, second, third) = promises()
    answers.put(1, [41])
    answers.put(0, [40])
    assert not third.done()
    answers.put(2, [OSError("gone")])
    called: list[Future] = []
    first.add_done_callback(called.append)
    assert called == [first]
    assert second.result(0) == (7, 41)
    with pytest.raises(OSError, match="gone"):
        third.result(0)


def test_a_promise_takes_attributes_of_its_owner_as_a_future_does() -> None:
    answers, (promise, *_) = promises()
    promise.user = "anna"  # type: ignore[attr-defined]
    answers.put(0, range(40, 43))
    assert promise.result(0) == (7, 40)
    assert vars(promise)["user"] == "anna"


def test_promises_can_be_waited_for_together_and_in_asyncio() -> None:
    answers, three = promises()
    thread = threading.Timer(0.05, lambda: answers.put(0, range(40, 43)))
    thread.start()

    async def one() -> Any:
        return await asyncio.wrap_future(three[1])

    assert asyncio.run(one()) == (7, 41)
    assert {each.result() for each in as_completed(three, 5)} == {(7, 40), (7, 41), (7, 42)}
    assert wait(three).not_done == set()
    thread.join()


def test_two_that_look_at_the_same_moment_see_one_future(monkeypatch: pytest.MonkeyPatch) -> None:
    """With two of them, one would wait for a condition that nobody notifies."""
    answers, (promise, *_) = promises()
    lock, looking, made = answers.lock, threading.Semaphore(0), []

    class Watched:
        def __enter__(self) -> None:
            looking.release()
            lock.acquire()

        def __exit__(self, *exc: object) -> None:
            lock.release()

    def make() -> Future:
        for _ in range(2):
            assert looking.acquire(timeout=5), "the other does not look"
        made.append(Future())
        return made[-1]

    monkeypatch.setattr(module, "Future", make)
    answers.lock = Watched()  # type: ignore[assignment]
    got: list[Any] = []
    threads = [threading.Thread(target=lambda: got.append(promise.result(5))) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_until("one is made", lambda: made)
    answers.put(0, range(40, 43))
    for thread in threads:
        thread.join()
    assert (got, len(made)) == ([(7, 40)] * 2, 1)


def test_what_a_future_has_not_a_promise_has_not() -> None:
    _, (promise, *_) = promises()
    with pytest.raises(AttributeError, match="'Promise' object has no attribute '_repr_html_'"):
        promise._repr_html_  # noqa: B018
    assert not vars(promise)


def test_who_comes_first_sees_the_answers_before_all_others() -> None:
    seen: list[Any] = []

    def first(answers: Answers) -> None:
        seen.append((answers.done, answers.keys, list(answers.results)))
        answers.results = [error]

    error = OSError("translated")
    answers = Answers([b"a"], 7, first)
    promise = Promise(answers, 0)
    promise.add_done_callback(lambda future: seen.append(future.exception()))
    answers.put(0, [OSError("gone")])
    assert seen[0][:2] == (False, [b"a"])
    assert seen[1] is error
    assert answers.keys == []
