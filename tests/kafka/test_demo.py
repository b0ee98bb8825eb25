"""The commands as a reader runs them: real processes, a real Kafka, Ctrl-C and kill -9."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from clicklib import broker
from clicklib.client.cluster import Cluster
from clicklib.client.topics import TopicManager
from tests.waiting import wait_until

CLICK = re.compile(r"\[proc\] key: user-(\d) clicks: (\d+), msg: (\d{4}-\d\d-\d\dT\S+\+00:00)")


class Program:
    """A `clicklib` command in a process of its own, its output read line by line."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "clicklib", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._readers = [
            threading.Thread(target=into.extend, args=(stream,))
            for stream, into in (
                (self.process.stdout, self.lines),
                (self.process.stderr, self.errors),
            )
        ]
        for reader in self._readers:
            reader.start()

    def wait_for(self, pattern: str, count: int = 1, timeout: float = 30) -> re.Match[str]:
        """The `count`-th line that holds `pattern`."""

        def look() -> list[re.Match[str]]:
            assert self.process.poll() is None, (self.lines[-5:], self.errors)
            return [m for line in list(self.lines) if (m := re.search(pattern, line))][count - 1 :]

        return wait_until(f"{pattern} was printed {count} times", look, timeout)[0]

    def end(self, number: int = signal.SIGINT, timeout: float = 30) -> int:
        """Send a signal, unless it has ended, and wait for the end; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.ended(timeout)

    def ended(self, timeout: float = 60) -> int:
        code = self.process.wait(timeout)
        for reader in self._readers:
            reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        return code

    @property
    def port(self) -> int:
        return int(self.wait_for(r"View opened at http://localhost:(\d+)/")[1])

    def get(self, target: str) -> tuple[int, object]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", target)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def clicks(self) -> dict[str, int]:
        """The table as the endpoint lists it; empty while the view recovers."""
        status, answer = self.get("/?prefix=")
        return {u["key"]: u["value"]["Clicks"] for u in answer["users"]} if status == 200 else {}


@pytest.fixture
def names() -> list[str]:
    """Options for a topic and a group that no other test has."""
    mark = uuid4().hex[:8]
    return ["--topic", f"clicks-{mark}", "--group", f"group-{mark}"]


@pytest.fixture
def environment(cluster: Cluster, tmp_path: Path) -> dict[str, str]:
    """The test's Kafka, and a folder for stores of the test's own."""
    kept = {k: v for k, v in os.environ.items() if k != "CLICKLIB_DEBUG"}
    return {**kept, "CLICKLIB_BROKERS": str(cluster), "CLICKLIB_STATE_DIR": str(tmp_path)}


Start = Callable[..., Program]


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    """Starts commands, and kills at last those that still run."""
    programs: list[Program] = []

    def start(*arguments: str) -> Program:
        programs.append(Program(list(arguments), environment))
        return programs[-1]

    yield start
    for program in programs:
        program.end(signal.SIGKILL)


def in_topic(cluster: Cluster, topic: str) -> int:
    """How many messages were ever written to a topic of plain, idempotent writers."""
    consumer = KafkaConsumer(bootstrap_servers=list(cluster.addresses))
    try:
        partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
        return sum(consumer.end_offsets(partitions).values())
    finally:
        consumer.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_shows_what_the_walkthrough_shows(
    start: Start, names: list[str], number: int
) -> None:
    demo = start("demo", *names, "--port", "0", "--rate", "50")
    demo.wait_for(rf"^Table {names[3]}-table has 10 partitions$")
    demo.wait_for("^Processor started")
    demo.wait_for(r"^\[proc\] rebalanced, partitions: 0 1 2 3 4 5 6 7 8 9$")
    demo.wait_for(CLICK.pattern, count=30)
    wait_until("all users are in the table", lambda: len(demo.clicks()) == 10)
    status, value = demo.get("/user-3")
    assert (status, list(value)) == (200, ["Clicks"])
    assert demo.get("/nobody")[0] == 404
    assert demo.get("/healthz") == (200, {"state": "running"})
    assert demo.end(number) == 0
    assert demo.errors == []


def test_the_demo_goes_on_counting_when_run_again(
    start: Start, names: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    names += ["--state-dir", str(folder)]
    first = start("demo", *names, "--port", "0", "--rate", "100", "--users", "1")
    wait_until("the view answers", first.clicks)
    first.wait_for(CLICK.pattern, count=50)
    assert first.end() == 0
    counts = [int(m[2]) for line in first.lines if (m := CLICK.search(line))]
    assert counts == list(range(1, len(counts) + 1))
    owners = {store.parents[3].name for store in folder.rglob("data.mdb")}
    assert owners == {names[3], "view"}

    second = start("demo", *names, "--port", "0", "--users", "1")
    assert int(second.wait_for(CLICK.pattern)[2]) == len(counts) + 1
    assert second.end() == 0


def test_the_demo_stops_after_the_seconds_asked_for(start: Start, names: list[str]) -> None:
    begin = time.monotonic()
    demo = start("demo", *names, "--port", "0", "--seconds", "1.5")
    assert demo.ended() == 0
    assert time.monotonic() - begin >= 1.5
    assert demo.errors == []


@pytest.mark.long
def test_a_second_signal_does_no_harm(start: Start, names: list[str]) -> None:
    demo = start("demo", *names, "--port", "0")
    demo.wait_for(CLICK.pattern)
    for _ in range(5):
        demo.process.send_signal(signal.SIGINT)
    assert demo.end(signal.SIGTERM) == 0
    assert demo.errors == []


def test_a_port_that_is_taken_ends_the_demo_with_one_line(start: Start, names: list[str]) -> None:
    first = start("demo", *names, "--port", "0")
    second = start("demo", *names, "--port", str(first.port))
    assert second.ended() == 1
    (line,) = second.errors
    assert line.startswith(f"Error: port {first.port} is taken")


def test_a_reader_that_leaves_ends_the_demo_quietly(
    environment: dict[str, str], names: list[str]
) -> None:
    command = [sys.executable, "-m", "clicklib", "demo", *names, "--port", "0", "--rate", "100"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as demo:
        assert demo.stdout.readline().endswith(b" has 10 partitions\n")
        demo.stdout.close()  # as `head -1` does
        errors = demo.stderr.read()
        assert (demo.wait(30), errors) == (0, b"")


def test_three_programs_make_the_walkthrough(start: Start, names: list[str]) -> None:
    emitter = start("emit", *names[:2], "--count", "500", "--rate", "0", "--users", "7")
    processor = start("process", *names)
    view = start("view", *names[2:], "--port", "0")
    assert emitter.ended() == 0
    assert emitter.lines == ["emitted 500 clicks, 500 acknowledged\n"]
    wait_until("every click is counted", lambda: sum(view.clicks().values()) == 500)
    assert len(view.clicks()) == 7
    for program in (processor, view):
        assert program.end() == 0
        assert program.errors == []
    assert sum(bool(CLICK.match(line)) for line in processor.lines) == 500


@pytest.mark.long
def test_a_quiet_processor_prints_no_clicks(start: Start, names: list[str]) -> None:
    assert start("emit", *names[:2], "--count", "50", "--rate", "0").ended() == 0
    processor = start("process", *names, "--quiet")
    view = start("view", *names[2:], "--port", "0")
    wait_until("every click is counted", lambda: sum(view.clicks().values()) == 50)
    assert processor.end() == 0
    assert [line for line in processor.lines if "key:" in line] == []


@pytest.mark.long
def test_one_key_takes_every_click(start: Start, names: list[str]) -> None:
    key = "Zoë/<b> %00"
    assert start("emit", *names[:2], "--count", "3", "--rate", "0", "--key", key).ended() == 0
    start("process", *names)
    view = start("view", *names[2:], "--port", "0")
    wait_until("the clicks are counted", lambda: view.clicks() == {key: 3})
    assert view.get("/" + quote(key, safe="")) == (200, {"Clicks": 3})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drains_the_emitter(
    start: Start, cluster: Cluster, names: list[str], number: int
) -> None:
    emitter = start("emit", *names[:2], "--rate", "0")
    wait_until(
        "clicks are in the topic", lambda: _there(cluster, names[1]) and in_topic(cluster, names[1])
    )
    assert emitter.end(number) == 0
    assert emitter.errors == []
    (line,) = emitter.lines
    emitted, acknowledged = map(int, re.findall(r"\d+", line))
    assert emitted == acknowledged == in_topic(cluster, names[1])


def _there(cluster: Cluster, topic: str) -> bool:
    consumer = KafkaConsumer(bootstrap_servers=list(cluster.addresses))
    try:
        return topic in consumer.topics()
    finally:
        consumer.close()


@pytest.mark.long
def test_an_emitter_that_is_killed_leaves_nothing_half_counted(
    start: Start, cluster: Cluster, names: list[str]
) -> None:
    processor = start("process", *names, "--quiet")
    view = start("view", *names[2:], "--port", "0")
    emitter = start("emit", *names[:2], "--rate", "0")
    wait_until("clicks are counted", lambda: sum(view.clicks().values()) > 1000)
    assert emitter.end(signal.SIGKILL) == -signal.SIGKILL
    assert start("emit", *names[:2], "--count", "100", "--rate", "0").ended() == 0
    written = in_topic(cluster, names[1])
    wait_until("all are counted", lambda: sum(view.clicks().values()) == written)
    assert processor.end() == view.end() == 0


@pytest.mark.long
def test_a_processor_that_is_killed_loses_no_click(start: Start, names: list[str]) -> None:
    first = start("process", *names, "--quiet")
    view = start("view", *names[2:], "--port", "0")
    emitter = start("emit", *names[:2], "--count", "20000", "--rate", "0")
    wait_until("clicks are counted", lambda: sum(view.clicks().values()) > 0)
    first.end(signal.SIGKILL)
    assert emitter.ended() == 0
    second = start("process", *names, "--quiet")
    wait_until("every click is counted", lambda: sum(view.clicks().values()) >= 20_000)
    assert second.end() == view.end() == 0


@pytest.mark.long
def test_two_processors_share_the_partitions(start: Start, names: list[str]) -> None:
    first = start("process", *names)
    first.wait_for("partitions: 0 1 2 3 4 5 6 7 8 9$")
    second = start("process", *names)
    for program in (first, second):
        program.wait_for("partitions:( \\d){5}$")
    assert second.end() == 0
    first.wait_for("partitions: 0 1 2 3 4 5 6 7 8 9$", count=2)
    assert first.end() == 0


def test_a_message_that_is_no_text_ends_the_processor_with_one_line(
    start: Start, cluster: Cluster, names: list[str]
) -> None:
    processor = start("process", *names)
    processor.wait_for("rebalanced")
    producer = KafkaProducer(bootstrap_servers=list(cluster.addresses))
    producer.send(names[1], b"\xff", b"user-3", partition=4).get(10)
    producer.close()
    assert processor.ended() == 1
    (line,) = processor.errors
    assert line.startswith("Error: ")
    for part in (f"topic {names[1]}", "partition 4", "offset 0", "key 'user-3'"):
        assert part in line


@pytest.mark.long
def test_an_address_where_nothing_answers_is_one_line(start: Start) -> None:
    emitter = start("emit", "--brokers", "127.0.0.1:1")
    assert emitter.ended() == 1
    (line,) = emitter.errors
    assert line.startswith("Error: no broker answers at 127.0.0.1:1")


def test_a_topic_of_other_partitions_is_refused(
    start: Start, cluster: Cluster, names: list[str]
) -> None:
    with TopicManager(cluster) as topics:
        topics.ensure_stream(names[1], 3)
    emitter = start("emit", *names[:2])
    assert emitter.ended() == 1
    (line,) = emitter.errors
    assert "partitions is 3, wanted 10" in line


def test_the_local_kafka_is_started_told_and_stopped(
    environment: dict[str, str], tmp_path: Path
) -> None:
    del environment["CLICKLIB_BROKERS"]
    jars = os.environ.get("CLICKLIB_JARS") or str(broker.home() / "jars")
    environment |= {"CLICKLIB_HOME": str(tmp_path), "CLICKLIB_JARS": jars}

    def clicklib(*arguments: str) -> str:
        command = [sys.executable, "-m", "clicklib", *arguments]
        return subprocess.run(
            command, env=environment, text=True, check=True, stdout=subprocess.PIPE, timeout=60
        ).stdout

    try:
        address = clicklib("broker", "start").splitlines()[-1]
        assert re.fullmatch(r"127\.0\.0\.1:\d+", address)
        assert clicklib("broker", "start").splitlines()[-1] == address
        assert f"running at {address}, stays until stopped" in clicklib("broker", "status")
        assert clicklib("emit", "--count", "3", "--rate", "0") == (
            "emitted 3 clicks, 3 acknowledged\n"
        )
        assert f"Kafka: running at {address}" in clicklib("doctor")
        clicklib("broker", "logs", "-n", "5")
    finally:
        assert clicklib("broker", "stop") == "Kafka stopped\n"
    assert "not running" in clicklib("broker", "status")
    assert clicklib("broker", "wipe") == "Kafka's data are deleted\n"
    assert not list((tmp_path / "kafka-1").glob("node-*"))
