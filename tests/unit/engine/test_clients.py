"""The two clients of a membership: one connects while the other one works, and none is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from clicklib.engine.clients import Clients
from clicklib.errors import KafkaError, TopicError, UnavailableError


class FakeLife:
    name, stopping, left = "processor g", False, 60.0

    def time_left(self) -> float:
        return self.left

    def wait_for_broker(self, error: Exception) -> None: ...


class FakeClient:
    """An input or a flusher."""

    def __init__(self) -> None:
        self.closed = threading.Event()
        self.topics = SimpleNamespace(error=None, remade=set())

    def watch(self, partitions: int) -> Any:
        return self.topics

    def close(self, timeout: float) -> None:
        self.closed.set()


class Bench:
    def __init__(self) -> None:
        self.life = FakeLife()
        self.flusher, self.inputs = FakeClient(), FakeClient()
        self.go_on = threading.Event()  # the flusher connects no sooner
        self.errors: list[Exception] = []  # of the flusher
        self.waits: list[float] = []
        self.input_error: Exception | None = None
        life: Any = self.life
        opening: Any = (self.open_flusher, self.open_inputs)
        self.clients = Clients(life, 10.0, 4, *opening)

    def open_flusher(self, timeout: float) -> FakeClient:
        self.waits.append(timeout)
        if self.errors:
            raise self.errors.pop(0)
        assert self.go_on.wait(10)
        return self.flusher

    def open_inputs(self, timeout: float) -> FakeClient:
        if self.input_error:
            raise self.input_error
        return self.inputs

    def connected(self) -> Any:
        deadline = time.monotonic() + 10
        while self.clients.flusher is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return self.clients.flusher


@pytest.fixture
def bench() -> Bench:
    return Bench()


def never() -> bool:
    return False


def test_the_inputs_do_not_wait_for_the_flusher(bench: Bench) -> None:
    inputs: Any = bench.clients.connect(never)
    assert inputs is bench.inputs
    assert bench.clients.flusher is None
    assert bench.clients.check_topics() == ""
    bench.go_on.set()
    assert bench.connected() is bench.flusher


def test_the_flusher_tries_again_and_is_given_longer(bench: Bench) -> None:
    bench.errors = [TopicError("not known yet"), UnavailableError("cut")]
    bench.go_on.set()
    bench.clients.connect(never)
    assert bench.connected() is bench.flusher
    assert bench.waits == [2.0, 10.0, 10.0]


@pytest.mark.parametrize(
    ("error", "gives_up"), [(KafkaError("denied"), never), (UnavailableError("cut"), lambda: True)]
)
def test_an_error_of_the_flusher_is_met_by_the_loop(
    bench: Bench, error: KafkaError, gives_up: Callable[[], bool]
) -> None:
    bench.errors = [error]
    bench.clients.connect(gives_up)
    with pytest.raises(KafkaError) as raised:
        bench.connected()
    assert raised.value is error
    bench.clients.close_flusher()


def test_without_inputs_the_flusher_is_closed(bench: Bench) -> None:
    bench.input_error = KafkaError("denied")
    bench.go_on.set()
    with pytest.raises(KafkaError, match="denied"):
        bench.clients.connect(never)
    assert bench.flusher.closed.is_set()


def test_a_flusher_is_closed_before_another_is_connected(bench: Bench) -> None:
    bench.clients.connect(never)
    threading.Timer(0.2, bench.go_on.set).start()
    bench.clients.close_flusher()
    assert bench.flusher.closed.is_set()
    bench.clients.close_flusher()


def test_where_there_is_no_time_left_it_is_closed_later(bench: Bench) -> None:
    bench.clients.connect(never)
    bench.life.left = 0.0
    bench.clients.close_flusher()
    assert not bench.flusher.closed.is_set()
    bench.go_on.set()
    assert bench.flusher.closed.wait(10)


def test_changed_topics_are_told(bench: Bench) -> None:
    bench.go_on.set()
    bench.clients.connect(never)
    bench.connected()
    bench.inputs.topics.remade = {"b", "a"}
    assert bench.clients.check_topics() == "a, b"
    bench.flusher.topics.remade = {"t"}
    with pytest.raises(TopicError, match="has lost its rows"):
        bench.clients.check_topics()
