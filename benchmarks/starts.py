"""How long a start takes: of the local Kafka, of the demo, and of a lesson that is restarted.

Kafka ran before in each of these homes: the jars are there, and so is the class archive.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from benchmarks.harness import Failed, Figures, Harness, Process
from benchmarks.programs import Program
from clicklib import broker
from clicklib.broker import jars
from clicklib.broker.answer import count_nodes
from clicklib.broker.java import find_java
from clicklib.broker.node import Node
from clicklib.broker.ports import Ports

__all__ = ["demo", "kafka", "lesson"]


def kafka(harness: Harness, program: Program) -> Figures:
    """Kafka itself; the limit is Java alone, without a class archive, until its port answers."""
    if program.name == "limit":
        return _java(harness)
    with _home(harness) as home:
        return _until(harness, program, "kafka", home, "ready")


def demo(harness: Harness, program: Program) -> Figures:
    """`clicklib demo` until its first count, with the start of Kafka."""
    with _home(harness) as home:
        return _until(harness, program, "demo", home, "counted")


def lesson(harness: Harness, program: Program) -> Figures:
    """The first notebook's first cells, in a process that follows another one at once."""
    with _home(harness) as home:
        _until(harness, program, "lesson", home, "ready")
        return _until(harness, program, "lesson", home, "ready")


@contextmanager
def _home(harness: Harness) -> Iterator[str]:
    """The home in which Kafka ran once, as a setting; afterwards Kafka does not run there."""
    home = harness.once("home of the starts", lambda: f"CLICKLIB_HOME={harness.state()}")
    try:
        yield home
    finally:
        stop = [sys.executable, "-m", "clicklib", "broker", "stop"]
        subprocess.run(["env", home, *stop], check=True, stdout=subprocess.DEVNULL)


def _until(harness: Harness, program: Program, command: str, home: str, name: str) -> Figures:
    """Run a command until it prints a line that has `name`."""
    harness.once("first start", _first, harness, program, home)
    with harness.running(["env", home, *program.line(command, {})]) as (process,):
        at, _ = process.line(name, timeout=60)
        process.terminate()
        process.wait()
    return _figures(process, at)


def _first(harness: Harness, program: Program, home: str) -> None:
    with harness.running(["env", home, *program.line("demo", {})]) as (process,):
        process.line("counted", timeout=60)
        process.terminate()
        process.wait()
    with _home(harness):
        pass


def _java(harness: Harness) -> Figures:
    ports = Ports(2)
    first = ports.choose(None, 10_002)
    node = Node(1, harness.state() / "node-1", first, first + 1)
    cluster = "clicklib-benchmarks-1"
    node.prepare([node], cluster)
    paths = [broker.fetch() / jar.name for jar in jars.pinned()]
    try:
        command = node.command(find_java(), paths, 1, "-Dclicklib.benchmark")
        with harness.running(["env", "-C", str(node.directory), *command]) as (process,):
            while not count_nodes(node.address, cluster):
                if time.monotonic() > process.begin + 60:
                    raise Failed(f"Java did not answer: {node.last_words()}")
                time.sleep(0.01)
            at = time.monotonic()
            process.terminate()
            with suppress(Failed):  # by its exit code
                process.wait()
    finally:
        ports.release()
    return _figures(process, at)


def _figures(process: Process, at: float) -> Figures:
    return Figures(at - process.begin, 0.0, process.cpu, process.peak, 0.0)
