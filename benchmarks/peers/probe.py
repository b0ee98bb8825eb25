"""What asks the programs from outside: `latency` of a table, and `load` on an endpoint.

`latency` emits clicks at a steady rate and has a view of the table; a click's latency is the time
from `emit` until the view shows a count that includes it. `load` asks an endpoint for keys over 4
connections, each as fast as it answers.
"""

from __future__ import annotations

import argparse
import random
import socket
import statistics
import threading
import time
from collections import defaultdict
from typing import Any

from benchmarks.peers import CLICK, arguments, say
from clicklib import Emitter, View
from clicklib.codec import Json, String

USERS = 10
CONNECTIONS = 4


class Latencies:
    """The times of emitted clicks, and how long each took to be seen. Its two ends are threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._emitted: dict[str, list[float]] = defaultdict(list)
        self._seen: dict[str, int] = defaultdict(int)
        self.seconds: list[tuple[float, float]] = []  # when it was emitted, how long it took

    def emitted(self, user: str) -> None:
        with self._lock:
            self._emitted[user].append(time.monotonic())

    def updated(self, user: str, value: Any) -> None:
        now, clicks = time.monotonic(), value["Clicks"] if isinstance(value, dict) else value
        user = user.partition("|")[0].strip('"')  # quixstreams' keys are `"user-3"|"clicks"`
        with self._lock:
            times = self._emitted[user]
            if clicks > len(times):
                raise ValueError(f"{user} has {clicks} clicks of {len(times)}")
            self.seconds += [(at, now - at) for at in times[self._seen[user] : clicks]]
            self._seen[user] = max(self._seen[user], clicks)


def latency(options: argparse.Namespace) -> None:
    latencies = Latencies()
    view = View(
        options.brokers, options.table, Json(), storage="memory", on_update=latencies.updated
    )
    with view.start(), Emitter(options.brokers, options.topic, String()) as emitter:
        view.wait_running(60)
        say(ready=True)
        begin = time.monotonic()
        for i in range(options.messages):
            while (wait := begin + i / options.rate - time.monotonic()) > 0:
                time.sleep(wait)
            user = f"user-{i % USERS}"
            latencies.emitted(user)
            emitter.emit(user, CLICK)
        deadline = time.monotonic() + 60
        while len(latencies.seconds) < options.messages and time.monotonic() < deadline:
            view.wait(0.01)
    # The first fifth warms up: clients find their leaders, Java compiles.
    counted = [took for _, took in sorted(latencies.seconds)[options.messages // 5 :]]
    cuts = statistics.quantiles(counted, n=100, method="inclusive")
    say(seen=len(latencies.seconds), median=cuts[49], p99=cuts[98])


def load(options: argparse.Namespace) -> None:
    port, each = options.rate, options.messages // CONNECTIONS
    say(ready=True)
    bad: list[str] = []

    def ask(seed: int) -> None:
        users = random.Random(seed)
        with socket.create_connection(("127.0.0.1", port)) as server:
            for _ in range(each):
                path = f"/user-{users.randrange(options.users)}"
                server.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                answer = server.recv(4096)
                if not (answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"}")):
                    bad.append(f"{path}: {answer!r:.200}")

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if bad:
        raise SystemExit(f"{len(bad)} wrong answers, the first: {bad[0]}")
    say(answered=each * CONNECTIONS)


if __name__ == "__main__":
    options = arguments("latency", "load")
    {"latency": latency, "load": load}[options.command](options)
