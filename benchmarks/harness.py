"""A fresh Kafka, filled topics, and programs run and measured as processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Self, TypeVar

import psutil
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from benchmarks.programs import ROOT, Program, flags, python
from clicklib import broker
from clicklib.client.topic_reader import FETCH
from clicklib.client.topics import TopicManager

__all__ = ["Failed", "Figures", "Filled", "Harness", "Process"]

T = TypeVar("T")

_LOOK = 0.05  # seconds between two looks at a process's memory
_PATIENCE = 300.0  # seconds; a program that takes longer is given up


class Failed(Exception):
    """A program that failed, or whose result is wrong: it has no figures."""


@dataclass(frozen=True)
class Figures:
    """What one run took, in seconds and bytes.

    `wall` is from the start of the process to the end of the job, `steady` from when it was ready.
    `cpu` is user and system time and `memory` the peak of what is resident, both of all processes
    that belong to the run. `rate` is per second; `more` has what else a job found out.
    """

    wall: float
    steady: float
    cpu: float
    memory: int
    rate: float
    more: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Filled:
    """A topic and what is in it."""

    name: str
    messages: int
    users: int


class Process:
    """A running program: the lines that it prints, with the time of each, and its memory."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.log = log
        self._lines: SimpleQueue[tuple[float, dict[str, Any]]] = SimpleQueue()
        self.begin = time.monotonic()
        self.peak, self.cpu = 0, 0.0
        with log.open("w") as errors:
            self._popen = subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self._readers = [
            threading.Thread(target=work, daemon=True) for work in (self._read, self._watch)
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def line(self, *names: str, timeout: float = _PATIENCE) -> tuple[float, dict[str, Any]]:
        """The next line that has one of `names`, and when it came. Raises Failed at its end."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            try:
                at, facts = self._lines.get(timeout=min(left, 0.5))
            except Empty:
                if not self._readers[0].is_alive() and self._lines.empty():
                    break
            else:
                if not names or facts.keys() & set(names):
                    return at, facts
        raise Failed(f"no line with {' or '.join(names)}: {self._last_words()}")

    def terminate(self) -> None:
        """Ask it to end."""
        self._popen.terminate()

    def wait(self) -> None:
        """Wait for its end; `cpu` and `peak` are known then. Raises Failed for a bad one."""
        for reader in self._readers:
            reader.join(_PATIENCE)
        if self._popen.returncode != 0:
            raise Failed(f"exit code {self._popen.returncode}: {self._last_words()}")

    def kill(self) -> None:
        """End it at once, if it still runs."""
        if self._popen.returncode is None:
            self._popen.kill()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for text in self._popen.stdout:
            if text.startswith("{"):
                self._lines.put((time.monotonic(), json.loads(text)))

    def _watch(self) -> None:
        """Look at its memory until it ends. CPU time comes from the kernel, exact, at its end."""
        process = psutil.Process(self._popen.pid)
        while True:
            try:
                family = [process, *process.children(recursive=True)]
                self.peak = max(self.peak, sum(p.memory_info().rss for p in family))
            except psutil.Error:
                pass
            pid, status, usage = os.wait4(self._popen.pid, os.WNOHANG)
            if pid:
                self.cpu = usage.ru_utime + usage.ru_stime
                self._popen.returncode = os.waitstatus_to_exitcode(status)
                return
            time.sleep(_LOOK)

    def _last_words(self) -> str:
        lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        return " ".join(lines[-3:])[-300:] or "it printed nothing"


class Harness:
    """A Kafka of its own, empty at first, that goes when the `with` block ends."""

    def __init__(self) -> None:
        self._numbers = count()
        self._made: dict[Hashable, Any] = {}
        self.folder = Path()
        self.brokers = ""

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="clicklib-bench-"))
        os.environ["CLICKLIB_JARS"] = str(broker.fetch())
        os.environ["CLICKLIB_HOME"] = str(self.folder / "kafka")
        self.brokers = str(broker.use())
        return self

    def __exit__(self, *exc: object) -> None:
        broker.release()
        broker.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def name(self, prefix: str) -> str:
        """A name that nothing else has."""
        return f"{prefix}-{next(self._numbers)}"

    def state(self) -> Path:
        """A new folder for local stores."""
        return Path(tempfile.mkdtemp(prefix="state-", dir=self.folder))

    def create(self, topic: str, partitions: int = 10, *, table: bool = False) -> str:
        """An empty topic; its name."""
        with TopicManager(self.brokers) as topics:
            (topics.ensure_table if table else topics.ensure_stream)(topic, partitions)
        return topic

    def once(self, key: Hashable, make: Callable[..., T], *args: Any) -> T:
        """What `make` returned when it was first called for this key."""
        if key not in self._made:
            self._made[key] = make(*args)
        return self._made[key]

    def fill(self, draw: str, messages: int, users: int, partitions: int = 10) -> Filled:
        """A topic with so many clicks (or rows, if `draw` is `table`), filled at the first call."""
        what = (draw, messages, users, partitions)
        return self.once(what, self._fill, *what)

    def _fill(self, draw: str, messages: int, users: int, partitions: int) -> Filled:
        topic = f"{draw}-{messages}-{users}-{partitions}"
        self.create(topic, partitions, table=draw == "table")
        options = {"brokers": self.brokers, "topic": topic, "draw": draw, "users": users}
        options |= {"messages": messages, "parts": 2}
        commands = [
            [*python("bare"), *flags("fill", {**options, "part": part})] for part in range(2)
        ]
        with self.running(*commands) as processes:
            for process in processes:
                process.wait()
        if self.end(topic) != messages:
            raise Failed(f"{topic} has {self.end(topic):,} messages, not {messages:,}")
        return Filled(topic, messages, users)

    @contextmanager
    def running(self, *commands: list[str]) -> Iterator[list[Process]]:
        """Programs started at once; those that still run at the end of the block are killed."""
        processes: list[Process] = []
        try:
            for command in commands:
                processes.append(Process(command, self.folder / self.name("log")))
            yield processes
        finally:
            for process in processes:
                process.kill()

    def start(self, program: Program, command: str, **options: object) -> list[str]:
        """The command line of a program over this Kafka."""
        options = {name.replace("_", "-"): value for name, value in options.items()}
        return program.line(command, {"brokers": self.brokers, **options})

    def end(self, topic: str) -> int:
        """How many records the topic took, transactions' markers included."""
        with self._reader(topic) as (consumer, places):
            return sum(consumer.end_offsets(places).values())

    def table(self, topic: str) -> tuple[int, int]:
        """How many keys a table has, and the sum of their last values, read record by record."""
        rows: dict[bytes, bytes | None] = {}
        with self._reader(topic) as (consumer, places):
            ends = consumer.end_offsets(places)
            consumer.seek_to_beginning(*places)
            while any(consumer.position(place) < ends[place] for place in places):
                for records in consumer.poll(500).values():
                    rows.update((record.key, record.value) for record in records)
        clicks = [clicks_of(value) for value in rows.values() if value]
        return len(clicks), sum(clicks)

    def committed(self, group: str, topic: str) -> int:
        """The sum of the offsets that the group has committed."""
        admin = KafkaAdminClient(bootstrap_servers=self.brokers.split(","))
        try:
            return committed(admin, group, topic)
        finally:
            admin.close()

    def await_committed(self, group: str, topic: str, messages: int) -> float:
        """Wait until the group has committed so many messages; when that was seen."""
        admin = KafkaAdminClient(bootstrap_servers=self.brokers.split(","))
        deadline = time.monotonic() + _PATIENCE
        try:
            while committed(admin, group, topic) < messages:
                if time.monotonic() > deadline:
                    raise Failed(f"{group} has not committed all in {_PATIENCE:g} s")
                time.sleep(0.1)
            return time.monotonic()
        finally:
            admin.close()

    @contextmanager
    def _reader(self, topic: str) -> Iterator[tuple[KafkaConsumer, list[TopicPartition]]]:
        consumer = KafkaConsumer(bootstrap_servers=self.brokers.split(","), **FETCH)
        try:
            partitions = consumer.partitions_for_topic(topic)
            if not partitions:
                raise Failed(f"there is no topic {topic}")
            places = [TopicPartition(topic, p) for p in sorted(partitions)]
            consumer.assign(places)
            yield consumer, places
        finally:
            consumer.close()


def committed(admin: KafkaAdminClient, group: str, topic: str) -> int:
    offsets = admin.list_group_offsets({group: None}).get(group, {})
    return sum(max(0, at.offset) for place, at in offsets.items() if place.topic == topic)


def clicks_of(value: bytes) -> int:
    """The count in a row of a table: `{"Clicks":7}`, or a bare number."""
    found = json.loads(value)
    return int(found["Clicks"] if isinstance(found, dict) else found)
