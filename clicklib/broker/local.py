"""The functions for programs: use the local Kafka, start it to stay, stop it, wipe its data."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from clicklib.broker import guard, jars, needs
from clicklib.broker.files import last_lines, write_whole
from clicklib.broker.launch import launch, mark_of
from clicklib.broker.node import layout
from clicklib.broker.notice import Notice, Pid
from clicklib.broker.paths import jars_directory
from clicklib.broker.place import Place
from clicklib.client.cluster import Cluster
from clicklib.errors import LocalBrokerError, UsageError
from clicklib.given import check

__all__ = ["fetch", "logs", "release", "serve", "start", "stop", "use", "wipe"]

logger = logging.getLogger("clicklib")

_READY_WITHIN = 60.0  # seconds; one node takes 2, three about 8
_LAUNCHES = 5  # a user gives up after so many keepers that ended without a notice

_mutex = threading.RLock()
_uses: dict[Path, FileLock] = {}


def use(nodes: int = 1, progress: bool = True) -> Cluster:
    """The local Kafka, which runs at least until this process ends or calls `release`.

    Starts Kafka if it is not running, and first fetches it if it is missing (43 MB, with a progress
    bar if `progress`). Any thread may call it, and often. Raises LocalBrokerError if Kafka cannot
    be fetched or started, with Kafka's last error lines.
    """
    check(nodes=nodes, progress=progress)
    return Cluster.from_environment() or _begin(nodes, None, progress, stays=False)


def start(nodes: int = 1, port: int | None = None, progress: bool = True) -> Cluster:
    """The local Kafka, which runs until `stop` is called, even without users.

    It takes `2 * nodes` ports in a row from `port` on; without a `port` from 9092 on, or the next
    free ones. Raises LocalBrokerError as `use` does, and if one of the ports is taken.
    """
    check(nodes=nodes, port__any=port, progress=progress)
    return Cluster.from_environment() or _begin(nodes, port, progress, stays=True)


def serve(address: str, progress: bool = True) -> Cluster:
    """The local Kafka of one broker, started to stay, and open at `address` to those who log in.

    Programs of this machine use it as before. At `address`, 'host:port', it takes logins by
    SCRAM-SHA-256, and nobody has a password until an administrator gives one. `stop` closes it.
    Raises LocalBrokerError as `start` does, if it runs already and is not open there, and if it
    cannot be. Raises UsageError if `CLICKLIB_BROKERS` names another Kafka.
    """
    check(address=address, progress=progress)
    if Cluster.from_environment() is not None:
        raise UsageError("CLICKLIB_BROKERS names another Kafka: unset it to open that of yours")
    return _begin(1, None, progress, stays=True, open_at=address)


def release(nodes: int = 1) -> None:
    """End this process's use of the local Kafka; does nothing if this process does not use it."""
    check(nodes=nodes)
    with _mutex:
        lock = _uses.pop(Place(nodes).directory, None)
        if lock is not None:
            lock.release()


def _begin(nodes: int, port: int | None, progress: bool, stays: bool, open_at: str = "") -> Cluster:
    place = Place(nodes)
    place.create()
    if not _is_at(place.read(), port, open_at):
        _stop_unused(place)
    take_back = _claim(place, stays)
    try:
        notice = _await_ready(place, port, progress, open_at)
        if not _is_at(notice, port, open_at):
            wanted = f"open at {open_at}" if open_at else f"on port {port}"
            raise LocalBrokerError(
                f"the local Kafka runs already, at {','.join(notice.addresses)} and not {wanted}: "
                "use it there, or stop it first"
            )
    except BaseException:
        take_back()
        raise
    return Cluster(notice.addresses)


def _is_at(notice: Notice | None, port: int | None, open_at: str) -> bool:
    """Whether a broker has the port that is wanted, and is open where it is wanted, if at all."""
    if notice is None:
        return port is None and not open_at
    has_port = port is None or any(each.endswith(f":{port}") for each in notice.addresses[:1])
    return has_port and open_at in ("", notice.open_at)


def _claim(place: Place, stays: bool) -> Callable[[], None]:
    """Note that the broker must stay, or that this process uses it. Returns a call to undo it."""
    with _mutex, place.gate():
        if stays and not place.stays.exists():
            place.stays.touch()
            return partial(place.stays.unlink, missing_ok=True)
        if not stays and place.directory not in _uses:
            _uses[place.directory] = place.register()
            return partial(release, place.nodes)
    return lambda: None


def _await_ready(place: Place, port: int | None, progress: bool, open_at: str) -> Notice:
    """Wait until the broker answers, and start a keeper whenever there is none."""
    before = place.read()
    deadline = time.monotonic() + _READY_WITHIN
    keeper: Pid | None = None
    launched = 0
    while time.monotonic() < deadline:
        notice = place.read()
        if notice is not None and notice.is_kept():
            if notice.state == "ready" and notice.answers():
                return notice
        elif notice is not None and notice.state == "failed" and notice != before:
            raise LocalBrokerError(f"the local Kafka did not start: {notice.error}")
        elif keeper is None or keeper.process() is None:
            if launched == _LAUNCHES:
                break
            if launched == 0:
                needs.meet(place.nodes, place.directory, progress)
                deadline = time.monotonic() + _READY_WITHIN
            keeper, launched = launch(place, port, open_at), launched + 1
        time.sleep(0.02)
    raise LocalBrokerError(
        f"the local Kafka in {place.directory} did not answer in time; stop it and try again. "
        f"Its last lines:\n{logs(place.nodes, 16)}"
    )


def stop(nodes: int | None = None, timeout: float = 10) -> bool:
    """Stop the local Kafka, even if it is in use; returns whether one was running.

    Stops the cluster of so many nodes, or without `nodes` all clusters. Kills processes that still
    run after `timeout` seconds.
    """
    check(nodes__none=nodes, timeout__wait=timeout)
    places = Place.all() if nodes is None else [Place(nodes)]
    stopped = [_stop(place, timeout) for place in places if place.directory.exists()]
    return any(stopped)


def _stop(place: Place, timeout: float) -> bool:
    with place.gate():
        place.stays.unlink(missing_ok=True)
        notice = place.read()
    keeper = notice.keeper.process() if notice is not None else None
    if notice is None or keeper is None:
        return False
    was_kept = notice.is_kept()
    write_whole(place.stop, notice.token.encode())
    if guard.outliving([keeper], timeout):
        logger.warning("the keeper of the local Kafka does not stop, killing it")
        guard.end([keeper], 0)
        guard.end(guard.find(mark_of(notice.token)), 2)
    place.stop.unlink(missing_ok=True)
    return was_kept


def _stop_unused(place: Place) -> None:
    """Stop the local Kafka if it only stays for the case that somebody comes again."""
    with place.gate():
        wanted = place.is_wanted()
    if not wanted:
        _stop(place, timeout=10)


def logs(nodes: int = 1, lines: int = 50) -> str:
    """The last lines that the nodes and the keeper wrote: Kafka's warnings and errors."""
    check(nodes=nodes, lines=lines)
    place = Place(nodes)
    parts = []
    for node in layout(place, 0):
        for path in (node.output, node.log):
            parts += last_lines(path, lines)
    return "\n".join([*parts, *last_lines(place.keeper_log, lines)][-lines:])


def wipe(stop: bool = False) -> None:
    """Delete the data of the local Kafka: topics, messages, offsets. The jars stay.

    Raises LocalBrokerError if it is in use, unless `stop` asks to stop it first.
    """
    check(stop=stop)
    for place in Place.all():
        if stop:
            _stop(place, timeout=10)
        _stop_unused(place)
        try:
            with place.keeper_lock.acquire(timeout=0.5):
                _delete_data(place)
        except Timeout:
            raise LocalBrokerError(
                f"the local Kafka in {place.directory} is running, and its data cannot be "
                "deleted under it: stop it first"
            ) from None


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
    """Fetch Kafka if it is missing, and check it; returns its directory.

    Also makes the class archive by which Kafka starts sooner, if that is missing and can be made.
    Raises LocalBrokerError if Kafka cannot be fetched.
    """
    check(progress=progress)
    jars.fetch(jars_directory(), progress)
    from clicklib.broker import archive  # a program of its own elsewhere; takes 0.01 s

    archive.make()
    return jars_directory()


def _forget_uses() -> None:
    """Forget the uses in a forked child: the child is no user, and filelock closed its locks."""
    global _mutex
    _mutex = threading.RLock()
    _uses.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_uses)
