"""Processors, views and emitters in processes of their own, which say what they did in files.

    python -m tests.support.parts KIND OPTIONS

Whatever a killed process wrote into a file is there. An emitter counts what it sends and what is
acknowledged; its messages are numbered for each user, so that a row of the table tells a lost
click and a doubled one, even if both befall one user.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec

from clicklib import Emitter, Graph, Input, Persist, Processor, View, define_group
from clicklib.codec import Json, String
from clicklib.context import Context
from clicklib.errors import UsageError

USERS = 100


class Row(msgspec.Struct):
    """A user's clicks as counted: all; those that were counted before; those that are missing."""

    clicks: int = 0
    again: int = 0
    missing: int = 0
    last: dict[str, int] = {}
    """The number of the last click of each emitter."""


def count(ctx: Context, msg: str) -> None:
    emitter, _, number = msg.partition(" ")
    row = ctx.value() or Row()
    last = row.last.get(emitter, 0)
    row.clicks += 1
    row.again += int(number) <= last
    row.missing += max(0, int(number) - last - 1)
    row.last[emitter] = max(int(number), last)
    ctx.set_value(row)


def graph(group: str, topic: str) -> Graph:
    return define_group(group, Input(topic, String(), count), Persist(Json(Row)))


class Tally:
    """How many clicks of each user an emitter has sent, and how many were acknowledged.

    They stand in a file that is mapped into memory: a killed process loses none. A click counts
    as sent before it is, and as acknowledged after it was.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(2 * 8 * USERS))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        numbers = memoryview(self._map).cast("q")
        self.sent, self.acknowledged = numbers[:USERS], numbers[USERS:]


def emitter(cluster: str, topic: str, sender: str, tally: str, rate: float) -> None:
    """Emit `rate` clicks a second, of each user in turn; ends when all are acknowledged."""
    tallied, i, begun = Tally(Path(tally)), 0, time.monotonic()

    def settle(user: int, promise: Future[Any]) -> None:
        if promise.exception() is None:
            tallied.acknowledged[user] += 1

    with Emitter(cluster, topic, String(), connect_timeout=60) as out:
        while not stopping.wait(begun + i / rate - time.monotonic()):
            for _ in range(int(rate / 100) or 1):
                user = i % USERS
                tallied.sent[user] += 1
                promise = out.emit(f"user-{user}", f"{sender} {tallied.sent[user]}")
                promise.add_done_callback(lambda promise, user=user: settle(user, promise))
                i += 1


def processor(cluster: str, group: str, topic: str, told: str, **options: Any) -> None:
    """Count clicks; writes the partitions that it owns."""

    def tell(owned: tuple[int, ...]) -> None:
        write(Path(told), list(owned))

    with Processor(cluster, graph(group, topic), on_rebalance=tell, **options).start() as part:
        while not (stopping.wait(0.1) or part.wait(timeout=0)):
            pass
    part.wait()


def view(cluster: str, table: str, told: str, **options: Any) -> None:
    """Follow the table; writes its state and its rows ten times a second."""
    with View(cluster, table, Json(Row), **options).start() as part:
        while not (stopping.wait(0.1) or part.wait(timeout=0)):
            try:
                rows = dict(part.items())
            except UsageError:  # it recovers
                rows = {}
            write(Path(told), Told(part.state, rows))
    part.wait()


class Told(msgspec.Struct):
    """What a view writes."""

    state: str = "starting"
    rows: dict[str, Row] = {}


def write(path: Path, value: Any) -> None:
    """Write `value` as JSON, so that a reader finds it whole."""
    new = path.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(value))
    os.replace(new, path)


class Ledger:
    """What all emitters together have sent, to be compared with the rows of a table."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tallies: dict[str, Tally] = {}

    def open(self, emitter: str) -> Path:
        """The file for the tally of an emitter of that name, to be written by its process."""
        path = self._folder / f"{emitter}.tally"
        self._tallies[emitter] = Tally(path)
        return path

    def __len__(self) -> int:
        return len(self._tallies)

    @property
    def sent(self) -> int:
        return sum(sum(tally.sent) for tally in self._tallies.values())

    def acknowledged(self) -> dict[str, list[int]]:
        """By emitter and user."""
        tallies = self._tallies.copy()  # another thread may open one
        return {name: tally.acknowledged.tolist() for name, tally in tallies.items()}

    def wrong(self, rows: dict[str, Row], exact: bool) -> list[str]:
        """How the rows break the promise; `exact`: no click is counted twice."""
        users = [f"user-{user}" for user in range(USERS)]
        rows = {user: rows.get(user, Row()) for user in users}
        tallies = self._tallies.values()
        acknowledged = [sum(each) for each in zip(*(t.acknowledged for t in tallies), strict=True)]
        sent = [sum(each) for each in zip(*(t.sent for t in tallies), strict=True)]
        found = []
        for user, least, most in zip(users, acknowledged, sent, strict=True):
            row = rows[user]
            if not least <= row.clicks or (exact and row.clicks > most):
                found.append(f"{user}: {row.clicks} counted, {least} acknowledged, {most} sent")
            if row.missing or (exact and row.again):
                found.append(f"{user}: {row.missing} left out, {row.again} counted again")
        if late := unseen(self.acknowledged(), rows):
            found.append(f"{late} acknowledged clicks are not counted")
        return found


def unseen(acknowledged: dict[str, list[int]], rows: dict[str, Row]) -> int:
    """How many of these clicks the rows do not hold."""
    lasts = [row.last if (row := rows.get(f"user-{u}")) else {} for u in range(USERS)]
    return sum(
        max(0, number - last.get(name, 0))
        for name, numbers in acknowledged.items()
        for number, last in zip(numbers, lasts, strict=True)
    )


class Part:
    """One of them, started, and started again after it ended."""

    def __init__(self, kind: str, name: str, folder: Path, **options: Any) -> None:
        self.kind, self.name, self.options = kind, name, options
        self.log = folder / f"{name}.log"
        self.told = folder / f"{name}.json"
        self.start()

    def start(self) -> None:
        self.told.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.support.parts", self.kind, json.dumps(self.options)]
        with self.log.open("ab") as log:
            # Its input ends with this process, and then it ends as well.
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.communicate()  # which closes the pipe as well

    def suspend(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def leave(self, timeout: float = 30) -> None:
        """Ask it to end cleanly, and wait for it; raises AssertionError if it does not."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end in {timeout:g} s") from None
        assert code == 0, f"{self.name} ended with code {code}:\n{self.last_words()}"

    def tells(self) -> Told:
        """What a view wrote last; nothing before it has."""
        try:
            return msgspec.json.decode(self.told.read_bytes(), type=Told)
        except FileNotFoundError:
            return Told()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def last_words(self) -> str:
        return "\n".join(self.log.read_text().splitlines()[-12:])


stopping = threading.Event()


def main(kind: str, options: str) -> None:
    threading.Thread(target=lambda: (os.read(0, 1), stopping.set()), daemon=True).start()
    {"emitter": emitter, "processor": processor, "view": view}[kind](**json.loads(options))


if __name__ == "__main__":
    main(*sys.argv[1:])
