"""A real Kafka on this machine, shared by every program of its user.

    cluster = broker.use()       # start it if it is not running; it goes with its last user
    cluster = broker.start()     # the same, but it stays until broker.stop()

All programs that use it share one broker (or one cluster of `nodes` brokers). A keeper process
owns it, starts it again if it is killed, and ends it about a second after its last user has
gone, however that one went. The data stay until `wipe()`. Everything lives below `home()`, and
listens on 127.0.0.1 only. Where `CLICKLIB_BROKERS` names another cluster, that one is used.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from clicklib.broker import guard, jars
from clicklib.broker.java import find_java
from clicklib.broker.keeper import launch, mark_of
from clicklib.broker.node import count_nodes, layout
from clicklib.broker.place import Mark, Place, Record, home, jars_directory, last_lines, write_whole
from clicklib.client.cluster import Cluster
from clicklib.errors import LocalBrokerError, UsageError

__all__ = [
    "Status",
    "fetch",
    "home",
    "logs",
    "release",
    "start",
    "status",
    "stop",
    "use",
    "wipe",
]

logger = logging.getLogger("clicklib")

_READY_WITHIN = 60.0  # seconds; one node takes 2, three about 8
_MEMORY = 400 * 2**20  # bytes a node: 150 MB at the start, a heap of 256 MB and what is around it
_DISK = 500 * 2**20  # bytes

_mutex = threading.RLock()
_uses: dict[Path, FileLock] = {}


@dataclass(frozen=True)
class Status:
    """What is known of one local cluster.

    `size` (of its directory) and `memory` (resident, all nodes) are in bytes; `users` and `java`
    are process ids, `keeper` is one or None.
    """

    nodes: int
    running: bool
    addresses: tuple[str, ...]
    stays: bool
    users: tuple[int, ...]
    keeper: int | None
    java: tuple[int, ...]
    memory: int
    directory: Path
    size: int


def use(nodes: int = 1, progress: bool = True) -> Cluster:
    """The local Kafka, running, and kept running until this process ends or calls `release`.

    Fetches Kafka first where it is missing (43 MB, with a progress bar if `progress`). May be
    called often and from any thread. Raises LocalBrokerError if Kafka cannot be fetched or
    started, with its last error lines.
    """
    return Cluster.from_environment() or _begin(nodes, None, progress, stays=False)


def start(nodes: int = 1, port: int | None = None, progress: bool = True) -> Cluster:
    """The local Kafka, running, and kept running until `stop`, with users or without.

    `port` is the first of `2 * nodes` ports in a row that it takes; without one, 9092 or the next
    that are free. Raises LocalBrokerError as `use` does, and if a port of these is taken.
    """
    return Cluster.from_environment() or _begin(nodes, port, progress, stays=True)


def release(nodes: int = 1) -> None:
    """Give up this process's use of the local Kafka; nothing happens if there is none."""
    with _mutex:
        lock = _uses.pop(Place(nodes).directory, None)
        if lock is not None:
            lock.release()


def _begin(nodes: int, port: int | None, progress: bool, stays: bool) -> Cluster:
    if nodes < 1:
        raise UsageError(f"a cluster of {nodes} nodes cannot be: ask for 1, or for 3")
    place = Place(nodes)
    place.create()
    with _mutex, place.gate():
        is_new = not place.stays.exists() if stays else place.directory not in _uses
        if is_new and stays:
            place.stays.touch()
        elif is_new:
            _uses[place.directory] = place.register()
    try:
        record = _await_ready(place, port, progress)
        if port is not None and not record.addresses[0].endswith(f":{port}"):
            raise LocalBrokerError(
                f"the local Kafka runs already, at {','.join(record.addresses)} and not on port "
                f"{port}: use it there, or stop it first"
            )
    except BaseException:
        if is_new and stays:
            place.stays.unlink(missing_ok=True)
        elif is_new:
            release(nodes)
        raise
    return Cluster(record.addresses)


def _await_ready(place: Place, port: int | None, progress: bool) -> Record:
    """Wait until the broker answers, and start a keeper whenever there is none."""
    before = place.read()
    deadline = time.monotonic() + _READY_WITHIN
    keeper: Mark | None = None
    launched = 0
    while time.monotonic() < deadline:
        record = place.read()
        if record is not None and record.is_kept():
            if record.state == "ready" and _answers(record):
                return record
        elif record is not None and record.state == "failed" and record != before:
            raise LocalBrokerError(f"the local Kafka did not start: {record.error}")
        elif keeper is None or keeper.process() is None:
            if launched == 5:
                break
            if launched == 0:
                _check(place, progress)
                deadline = time.monotonic() + _READY_WITHIN
            keeper, launched = launch(place, port), launched + 1
        time.sleep(0.05)
    raise LocalBrokerError(
        f"the local Kafka in {place.directory} did not answer in time; stop it and try again. "
        f"Its last lines:\n{logs(place.nodes, 8)}\n" + "\n".join(last_lines(place.keeper_log, 8))
    )


def _answers(record: Record) -> bool:
    return any(count_nodes(address, record.cluster) for address in record.addresses[:1])


def _check(place: Place, progress: bool) -> None:
    """Get what Kafka needs, or say what is missing, before a keeper is started."""
    find_java()
    jars.fetch(jars_directory(), progress)
    memory, disk = psutil.virtual_memory().available, psutil.disk_usage(str(place.directory)).free
    if memory < _MEMORY * place.nodes:
        raise LocalBrokerError(
            f"not enough memory for the local Kafka: {memory >> 20} MB are free, and "
            f"{place.nodes} node(s) need {_MEMORY * place.nodes >> 20} MB; close other programs "
            "(each open notebook's kernel is one), or set CLICKLIB_BROKERS to a Kafka elsewhere"
        )
    if disk < _DISK:
        raise LocalBrokerError(
            f"not enough disk for the local Kafka: {disk >> 20} MB are free in {place.directory}, "
            f"and it needs {_DISK >> 20} MB; make room, or name another directory in CLICKLIB_HOME"
        )


def stop(nodes: int | None = None, timeout: float = 10) -> bool:
    """Stop the local Kafka, whoever uses it; whether one was running.

    Stops the cluster of so many nodes, or without `nodes` all of them. After `timeout` seconds
    what still runs is killed.
    """
    places = Place.all() if nodes is None else [Place(nodes)]
    stopped = [_stop(place, timeout) for place in places if place.directory.exists()]
    return any(stopped)


def _stop(place: Place, timeout: float) -> bool:
    with place.gate():
        place.stays.unlink(missing_ok=True)
        record = place.read()
    keeper = record.keeper.process() if record is not None else None
    if record is None or keeper is None:
        return False
    was_kept = record.is_kept()
    write_whole(place.stop, record.token.encode())
    deadline = time.monotonic() + timeout
    while guard.is_alive(keeper) and time.monotonic() < deadline:
        time.sleep(0.05)
    if guard.is_alive(keeper):
        logger.warning("the keeper of the local Kafka does not stop, killing it")
        guard.end([keeper], 0)
        guard.end(guard.find(mark_of(record.token)), 2)
    place.stop.unlink(missing_ok=True)
    return was_kept


def status() -> list[Status]:
    """What is known of each local cluster that was ever started here, by its number of nodes."""
    return [_status(place) for place in Place.all()]


def _status(place: Place) -> Status:
    with place.gate():
        users = place.sweep()
    record = place.read()
    kept = record if record is not None and record.is_kept() else None
    memory = 0
    for pid in kept.java if kept else ():
        with contextlib.suppress(psutil.Error):
            memory += psutil.Process(pid).memory_info().rss
    return Status(
        nodes=place.nodes,
        running=kept is not None and _answers(kept),
        addresses=kept.addresses if kept else (),
        stays=place.stays.exists(),
        users=tuple(users),
        keeper=kept.keeper.pid if kept else None,
        java=kept.java if kept else (),
        memory=memory,
        directory=place.directory,
        size=place.size(),
    )


def logs(nodes: int = 1, lines: int = 50) -> str:
    """The last lines of what each node and the keeper wrote: Kafka's warnings and errors."""
    place = Place(nodes)
    parts = []
    for node in layout(place, 0):
        for path in (node.output, node.log):
            parts += last_lines(path, lines)
    return "\n".join([*parts, *last_lines(place.keeper_log, lines)][-lines:])


def wipe(stop: bool = False) -> None:
    """Delete the data of the local Kafka: topics, messages, offsets. The jars stay.

    Raises LocalBrokerError if it runs, unless `stop` asks to stop it first.
    """
    for place in Place.all():
        if stop:
            _stop(place, timeout=10)
        try:
            place.keeper_lock.acquire(timeout=0.5)
        except Timeout:
            raise LocalBrokerError(
                f"the local Kafka in {place.directory} is running, and its data cannot be "
                "deleted under it: stop it first"
            ) from None
        try:
            _delete_data(place)
        finally:
            place.keeper_lock.release()


def _delete_data(place: Place) -> None:
    try:
        for directory in place.directory.glob("node-*"):
            shutil.rmtree(directory)
        for name in ("cluster.id", "keeper.json", "keeper.log"):
            (place.directory / name).unlink(missing_ok=True)
    except OSError as error:
        raise LocalBrokerError(
            f"cannot delete all data in {place.directory}: {error}; delete the directory by hand"
        ) from error


def fetch(progress: bool = True) -> Path:
    """Fetch Kafka where it is missing and check it, without starting it; where it is.

    Raises LocalBrokerError if it cannot be fetched.
    """
    jars.fetch(jars_directory(), progress)
    return jars_directory()


def _forget_uses() -> None:
    """A forked child is no user: filelock has closed its copies of the locks."""
    global _mutex
    _mutex = threading.RLock()
    _uses.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_uses)
