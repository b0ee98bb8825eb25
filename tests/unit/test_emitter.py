"""An emitter whose Kafka is the test: the room in its buffer, and who may wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from clicklib import emitter as module
from clicklib.client.answers import Answers, Promise
from clicklib.codec import String
from clicklib.emitter import Acknowledged, Emitter, EmitterStats
from clicklib.errors import DeliveryError, UsageError
from tests.waiting import wait_until


class FakeWriter:
    """Answers a message when the test does so, on the thread that it chooses."""

    partitions = 10

    def __init__(self, cluster: Any, topic: str, **settings: Any) -> None:
        self.sent: list[Answers] = []
        self.on_answers = settings["on_answers"]
        self.answering: threading.Thread | None = None
        self.flushed = threading.Event()

    def answers_here(self) -> bool:
        return threading.current_thread() is self.answering

    def append(self, partition: int, key: bytes, value: bytes | None, end: bytes) -> Promise:
        self.sent.append(Answers([key], partition, self.on_answers))
        return Promise(self.sent[-1], 0)

    def send_rows(self, partition: int, rows: list, end: bytes, on_answers: Any) -> Answers:
        self.sent.append(Answers([key for key, _ in rows], partition, on_answers))
        return self.sent[-1]

    def flush(self, timeout: float) -> bool:
        self.flushed.wait(timeout)
        return self.flushed.is_set()

    def close(self, timeout: float = 5.0) -> None: ...


class Bench:
    """An emitter, at first with room for two messages."""

    def __init__(self) -> None:
        self.emitter = Emitter("nowhere:1", "clicks", String(), buffer=2)
        self.writer: Any = self.emitter._writer

    def emit(self) -> Future[Acknowledged]:
        return self.emitter.emit("a", "now")

    def acknowledge(self, number: int) -> None:
        self.writer.sent[number].put(0, range(number, number + 1))

    def lose(self, number: int) -> None:
        self.writer.sent[number].put(0, [OSError("gone")])


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(module, "Writer", FakeWriter)
    bench = Bench()
    yield bench
    bench.emitter.close()


def on_a_thread(act: Callable[[], Any]) -> threading.Thread:
    """A daemon, so that one that blocks doesn't hold the tests."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


def on_the_client_s(bench: Bench, act: Callable[[], Any]) -> threading.Thread:
    """The same on the thread on which the client answers."""

    def main() -> None:
        bench.writer.answering = threading.current_thread()
        act()

    return on_a_thread(main)


def ends(thread: threading.Thread) -> bool:
    thread.join(5)
    return not thread.is_alive()


def test_a_future_gives_the_place_of_its_record(bench: Bench) -> None:
    future = bench.emit()
    assert not future.done()
    bench.acknowledge(0)
    assert future.result(0) == (6, 0)


def test_messages_are_counted_before_their_futures_are_done(bench: Bench) -> None:
    seen: list[EmitterStats] = []
    for _ in range(2):
        bench.emit().add_done_callback(lambda future: seen.append(bench.emitter.stats()))
    assert bench.emitter.stats() == EmitterStats(emitted=2, acknowledged=0, failed=0)
    bench.acknowledge(0)
    bench.lose(1)
    assert seen == [EmitterStats(2, 1, 0), EmitterStats(2, 1, 1)]


def test_a_message_that_is_refused_was_not_emitted(bench: Bench) -> None:
    bench.emitter.close()
    with pytest.raises(UsageError, match="closed"):
        bench.emit()
    assert bench.emitter.stats() == EmitterStats(0, 0, 0)


def test_messages_of_many_threads_are_all_counted(bench: Bench) -> None:
    bench.emitter._deliveries._buffer = 8 * 500
    threads = [on_a_thread(lambda: [bench.emit() for _ in range(500)]) for _ in range(8)]
    assert all(ends(thread) for thread in threads)
    halves = [range(0, 4000, 2), range(1, 4000, 2)]
    threads = [
        on_a_thread(lambda half=half: [bench.acknowledge(n) for n in half]) for half in halves
    ]
    assert all(ends(thread) for thread in threads)
    assert bench.emitter.stats() == EmitterStats(4000, 4000, 0)


@pytest.mark.parametrize("answer", ["acknowledge", "lose"])
def test_a_callback_of_a_future_is_refused_where_it_would_wait_for_itself(
    bench: Bench, answer: str
) -> None:
    caught: list[BaseException] = []

    def done(future: Future) -> None:
        try:
            # One room is free again: its own. Another thread may be quicker to take it.
            bench.emitter._deliveries.admit()
            bench.emit()
        except BaseException as exc:
            caught.append(exc)

    bench.emit().add_done_callback(done)
    bench.emit()
    thread = on_the_client_s(bench, lambda: getattr(bench, answer)(0))
    assert ends(thread), "it waits for the buffer that only its own thread empties"
    (error,) = caught
    assert isinstance(error, UsageError)
    assert "the buffer is full" in str(error)
    assert (error.topic, error.key) == ("clicks", "a")
    assert len(bench.writer.sent) == 2


def test_a_callback_of_a_future_may_emit_while_there_is_room(bench: Bench) -> None:
    more: list[Future] = []
    bench.emit().add_done_callback(lambda future: more.append(bench.emit()))
    bench.emit()
    assert ends(on_the_client_s(bench, lambda: bench.acknowledge(0)))
    bench.acknowledge(2)
    assert more[0].result(0) == (6, 2)


def test_another_thread_waits_for_room(bench: Bench) -> None:
    bench.emit()
    bench.emit()
    thread = on_a_thread(bench.emit)
    thread.join(0.05)
    assert thread.is_alive()
    bench.acknowledge(0)
    assert ends(thread)
    assert len(bench.writer.sent) == 3


def test_what_was_not_delivered_gives_its_room_back_and_is_remembered(bench: Bench) -> None:
    future = bench.emit()
    bench.lose(0)
    with pytest.raises(DeliveryError, match="gone"):
        future.result(0)
    for _ in range(5):  # more often than the buffer has room
        with pytest.raises(DeliveryError) as raised:
            bench.emit()
        assert raised.value is bench.emitter.error
    assert len(bench.writer.sent) == 1


def test_many_wait_for_room_and_for_all_answers(bench: Bench) -> None:
    """The buffer of two messages takes one at a time, so that one is encoded while one is sent."""
    told: list[int] = []
    pairs = ((f"user-{i}", "now") for i in range(5))
    thread = on_a_thread(lambda: told.append(bench.emitter.emit_many(pairs)))
    for number in range(5):
        wait_until("it is sent", lambda number=number: len(bench.writer.sent) > number)
        assert bench.emitter.stats().emitted <= number + 2
        assert told == []
        bench.acknowledge(number)
    assert ends(thread)
    assert told == [5]
    assert bench.emitter.stats() == EmitterStats(5, 5, 0)


def test_many_send_what_came_before_an_error_of_the_generator(bench: Bench) -> None:
    bench.emitter._chunk = 2
    caught: list[BaseException] = []

    def pairs() -> Iterator[tuple[str, str]]:
        yield "a", "now"
        raise OSError("no more lines")

    def emit() -> None:
        try:
            bench.emitter.emit_many(pairs())
        except OSError as exc:
            caught.append(exc)

    thread = on_a_thread(emit)
    wait_until("the first is sent", lambda: len(bench.writer.sent) == 1)
    bench.acknowledge(0)
    assert ends(thread)
    assert caught[0].__notes__ == ["1 messages were sent before it"]


def test_many_stop_at_the_first_that_kafka_does_not_take(bench: Bench) -> None:
    caught: list[DeliveryError] = []

    def emit() -> None:
        try:
            bench.emitter.emit_many([(f"user-{i}", "now") for i in range(100)])
        except DeliveryError as exc:
            caught.append(exc)

    thread = on_a_thread(emit)
    wait_until("two are sent", lambda: len(bench.writer.sent) == 2)
    bench.lose(0)
    bench.acknowledge(1)
    third = iter([2])

    def ended() -> bool:
        if len(bench.writer.sent) == 3:  # it may have waited for room when the first was lost
            for number in third:
                bench.acknowledge(number)
        return not thread.is_alive()

    wait_until("it ended", ended)
    (error,) = caught
    assert (error.key, len(bench.writer.sent) <= 3) == ("user-0", True)
    assert f"1 of {len(bench.writer.sent)} messages" in str(error)
    assert bench.emitter.error is None


def test_many_are_refused_where_they_would_wait_for_themselves(bench: Bench) -> None:
    caught: list[BaseException] = []

    def emit() -> None:
        try:
            bench.emitter.emit_many([("a", "now")])
        except UsageError as exc:
            caught.append(exc)

    assert ends(on_the_client_s(bench, emit))
    assert "call emit_many on another thread" in str(caught[0])
    assert bench.writer.sent == []
