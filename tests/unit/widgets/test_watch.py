"""A watch over Kafka from a thread of its own."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from clicklib.errors import UnavailableError
from clicklib.widgets import watch as module
from clicklib.widgets.watch import Watch, end_watches
from tests.waiting import wait_until


class Client:
    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


def test_a_watch_looks_as_long_as_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEASE", 0.1)
    clients: list[Client] = []

    def connect() -> Client:
        clients.append(Client())
        return clients[-1]

    def rests() -> bool:
        return watch._thread is None and all(client.closed for client in clients)

    watch: Any = Watch("watch", connect, lambda client: len(clients), every=0.01)
    for _ in range(2):
        before = len(clients)
        wait_until("it looked", lambda before=before: (watch.latest() or 0) > before)
        wait_until("it ended", rests)


def test_a_watch_says_what_went_wrong_and_tries_again() -> None:
    clients = [Client(), Client(), Client()]
    problems: list[Exception] = [UnavailableError("no broker"), ValueError("odd")]
    left = iter(clients)

    def look(client: Client) -> str:
        if problems:
            raise problems.pop(0)
        return "seen"

    watch: Any = Watch("watch", lambda: next(left), look, every=0.05)
    errors = set()

    def seen() -> bool:
        errors.add(watch.error)
        return watch.latest() == "seen"

    wait_until("it looked in spite of errors", seen, every=0.01)
    assert {"no broker", "ValueError('odd')"} <= errors
    assert watch.error == ""
    assert [client.closed for client in clients] == [True, True, False]
    watch.rest()


def test_the_end_waits_for_a_watch_that_closes_its_client() -> None:
    closing, closed = threading.Event(), threading.Event()

    class Slow(Client):
        def close(self) -> None:
            closing.set()
            time.sleep(0.3)
            closed.set()

    watch = Watch("slow", Slow, lambda client: 1, every=0.01)
    wait_until("it has looked", lambda: watch.latest() == 1)
    watch.rest()
    wait_until("it closes its client", closing.is_set)
    end_watches(10)
    assert closed.is_set()
