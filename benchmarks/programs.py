"""The programs that are measured: how each is set up, started, and what its settings are.

Everything that a peer needs is installed below `build/bench/`, each in an environment of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from clicklib import broker
from clicklib.broker import jars

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build" / "bench"

QUIX = "quixstreams==3.28.1"
FAUST = "faust-streaming==0.15.3"
PY_SPY = "py-spy==0.4.3"

# What Kafka Streams needs beside the jars of the broker.
STREAMS = """\
org.apache.kafka:kafka-streams:4.4.0 \
6e06548a119adf213121ad2e4fefff6ab4263875b4f761425ace8ea4f5ba04a6 2446342
org.rocksdb:rocksdbjni:10.1.3 \
e7f925287d9fe2574fb7c7a86f7facaa9b8ab602a2eed0e598bf633528121498 72725808
"""


class LeftOut(Exception):
    """A peer cannot be measured here; the message says why."""


@dataclass(frozen=True)
class Program:
    """A program that follows the contract of `benchmarks.peers`.

    `table` is the topic of a group's table; `flags` turns the contract's options into its own.
    `settings` says how it is set up, and `defaults` what its own defaults are where they differ.
    """

    name: str
    version: str
    command: tuple[str, ...]
    table: str
    settings: str
    defaults: str
    flags: Callable[[str, Mapping[str, object]], list[str]]

    def line(self, command: str, options: Mapping[str, object]) -> list[str]:
        """The command line for one run."""
        return [*self.command, *self.flags(command, options)]


def flags(command: str, options: Mapping[str, object]) -> list[str]:
    """The options as the contract has them; True is a flag without a value, False none."""
    line = [command]
    for name, value in options.items():
        if value is not False:
            line += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return line


def goka_flags(command: str, options: Mapping[str, object]) -> list[str]:
    """The same for the Goka program, which the tests use too."""
    names = {"brokers": "brokers", "topic": "topic", "table": "table", "state": "storage"}
    names |= {"group": "group", "messages": "count", "users": "users"}
    line = {
        "count": ["processor", "-oldest"],
        "view": ["view", "-size"],
        "serve": ["view", "-serve"],
        "emit": ["emitter"],
    }[command]
    line += ["-acks", "all"]
    for name, value in options.items():
        if name in names:
            line += [f"-{names[name]}", str(value)]
    return line


def python(name: str, executable: str = sys.executable) -> tuple[str, ...]:
    return (executable, "-m", f"benchmarks.peers.{name}")


def clicklib() -> Program:
    return Program(
        "clicklib",
        version("clicklib"),
        python("clicklib"),
        "{group}-table",
        "its defaults; the emitter with a buffer of 100,000 messages and 50 ms linger",
        "an emitter's buffer holds 10,000 messages, linger 5 ms",
        flags,
    )


def bare() -> Program:
    return Program(
        "limit",
        f"kafka-python {version('kafka-python')}",
        python("bare"),
        "",
        "reading: `consumer.poll()` in a loop with the settings of clicklib's readers, no group. "
        "Emitting: `producer.send()` with the partition given, acks=all, idempotent, batches of "
        "256 KiB, linger 50 ms. Latency: a loop that sends a row for each click at once, without "
        "a store or a commit. Endpoint: tornado, the same 13 bytes for each request",
        "",
        flags,
    )


def goka() -> Program:
    """The Goka program of the tests, built by Go."""
    usual = ["/usr/local/go/bin/go", *map(str, sorted(Path("/usr/lib").glob("go*/bin/go")))]
    go = shutil.which("go") or next((path for path in usual if Path(path).exists()), None)
    if go is None:
        raise LeftOut("no Go was found; 1.25 or newer will do")
    source, program = ROOT / "tests" / "peers" / "goka", BUILD / "goka"
    run([go, "build", "-mod=readonly", "-buildvcs=false", "-o", program, "."], source)
    listed = run([go, "list", "-m", "-f", "{{.Version}}", "github.com/lovoo/goka"], source)
    return Program(
        "Goka",
        f"{listed.strip()}, {run([go, 'env', 'GOVERSION'], source).strip()}",
        (str(program),),
        "{group}-table",
        "acks=all, starts at the oldest message, LevelDB; writes are snappy-compressed and not "
        "idempotent, as is its default",
        "acks=1, starts at the newest message",
        goka_flags,
    )


def quixstreams() -> Program:
    executable = environment("quixstreams", QUIX)
    return Program(
        "quixstreams",
        QUIX.partition("==")[2],
        python("quix", executable),
        "changelog__{group}--{topic}--default",
        "starts at the oldest message, acks=all, idempotent, linger 5 ms (50 emitting), batches of "
        "256 KiB, commits each 5 s (0.1 s under exactly once and for latency); RocksDB",
        "starts at the newest message, acks=all by librdkafka, not idempotent",
        flags,
    )


def faust() -> Program:
    executable = environment("faust", FAUST)
    return Program(
        "faust",
        FAUST.partition("==")[2],
        python("faust", executable),
        "{group}-clicks-changelog",
        "acks=all, linger 5 ms, batches of 256 KiB; its table in memory, and 1/20 of the messages",
        "batches of 16 KiB, linger 0",
        flags,
    )


def streams() -> Program:
    """Kafka Streams: our own program, compiled against the jars."""
    java, javac = shutil.which("java"), shutil.which("javac")
    if java is None or javac is None:
        raise LeftOut("no java and javac on the PATH; a JDK of 17 or newer will do")
    folder = BUILD / "jars"
    jars.fetch(folder, jars=jars.read_lock(STREAMS))
    classes = BUILD / "streams"
    path = os.pathsep.join(map(str, (classes, folder / "*", broker.fetch() / "*")))
    source = ROOT / "benchmarks" / "peers" / "streams" / "Clicks.java"
    run([javac, "-cp", path, "-d", classes, source], ROOT)
    return Program(
        "Kafka Streams",
        f"4.4.0, {run([java, '--version'], ROOT).splitlines()[0]}",
        (java, "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", path, "Clicks"),
        "{group}-clicks-changelog",
        "2 threads, polls of 10,000 records, a cache of 64 MiB, commits each 5 s (0.1 s under "
        "exactly once), acks=all, idempotent, linger 5 ms (50 emitting), batches of 256 KiB, "
        "RocksDB, Jackson for JSON, a heap of 1 GiB, leaves its group at the end; for latency no "
        "cache and commits each 0.1 s, with several processors commits each 0.5 s",
        "1 thread, polls of 1,000 records, a cache of 10 MiB, commits each 30 s, linger 100 ms, "
        "batches of 16 KiB, does not leave its group, so that a restart waits for up to 45 s",
        flags,
    )


MAKERS = {
    "limit": bare,
    "clicklib": clicklib,
    "Goka": goka,
    "Kafka Streams": streams,
    "quixstreams": quixstreams,
    "faust": faust,
}


def set_up(names: Iterable[str]) -> tuple[dict[str, Program], dict[str, str]]:
    """Those of the named programs that can run here, and why the others cannot."""
    BUILD.mkdir(parents=True, exist_ok=True)
    ready, left_out = {}, {}
    for name in names:
        try:
            ready[name] = MAKERS[name]()
        except LeftOut as reason:
            left_out[name] = str(reason)
    return ready, left_out


def environment(name: str, requirement: str) -> str:
    """A Python environment of its own with this package; its interpreter."""
    folder = BUILD / name
    stamp, executable = folder / ".ready", str(folder / "bin" / "python")
    if not stamp.exists() or stamp.read_text() != requirement:
        run([sys.executable, "-m", "venv", "--clear", folder], ROOT)
        pip = [executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        run([*pip, requirement], ROOT)
        stamp.write_text(requirement)
    return executable


def run(command: list[str | Path], folder: Path) -> str:
    """What a step of the set-up prints; raises LeftOut with its last lines when it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        last = " ".join(done.stderr.strip().splitlines()[-2:])
        raise LeftOut(f"{Path(command[0]).name} failed: {last}")
    return done.stdout
