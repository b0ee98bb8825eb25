"""The keeper: the one process that owns a local cluster.

    python -m clicklib.broker.keeper NODES PORT ADDRESS

PORT is the first port, or 0 for free ones. At ADDRESS, 'host:port', the broker is open to those who
log in; without it ADDRESS is empty. The keeper locks `keeper.lock` of its place; a second keeper of
this place ends again. It starts the nodes, and a guard that ends them if the keeper is killed.
After that it restarts each node that has died, on the same port, and has the class archive made if
there is none. When it is asked to stop, or had no user for a minute (unless the broker must stay),
it ends all. It has one thread, one loop and no signals, so that it does the same on every system.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from typing import Any

import psutil
from filelock import Timeout

from clicklib.broker import guard, jars
from clicklib.broker.answer import count_nodes
from clicklib.broker.archive import Archive
from clicklib.broker.detach import detached
from clicklib.broker.files import write_whole
from clicklib.broker.java import find_java
from clicklib.broker.launch import command, mark_of, start_guard
from clicklib.broker.node import Node, cluster_id, layout
from clicklib.broker.notice import Notice, Pid
from clicklib.broker.paths import patience
from clicklib.broker.place import Place
from clicklib.broker.ports import Ports, check_open
from clicklib.errors import LocalBrokerError

__all__ = ["Keeper", "main"]

logger = logging.getLogger("clicklib")

_LOOP = 0.1  # seconds between two looks at everything
_HURRY = 0.02  # the same while users wait for Kafka
_SWEEP = 0.5  # seconds between two looks for users
_SETTLED = 5.0  # seconds of a ready Kafka, and its users no longer wait for what they have begun
_PATIENCE = 8.0  # seconds for Java to stop by itself: one node takes 0.7, three 5.5
_TRIES = 3  # the keeper gives up after so many starts of a node, if not all nodes were ready


class Keeper:
    """Owns the nodes of one place, whose `keeper.lock` it holds."""

    def __init__(self, place: Place, port: int | None, open_at: str = "") -> None:
        self.place = place
        self.port, self.open_at = port, open_at
        self.ports = Ports(2 * place.nodes)  # each node's broker and controller
        token = secrets.token_hex(8)
        self.mark = mark_of(token)
        self.notice = Notice("starting", token, Pid.of(os.getpid()), open_at=open_at)
        self.nodes: list[Node] = []
        self.java: list[psutil.Popen] = []
        self.guard: subprocess.Popen[bytes] | None = None
        self.archive: Archive | None = None
        self.archiver: subprocess.Popen[bytes] | None = None
        self.ready_since: float | None = None
        self.failures: Counter[int] = Counter()  # ends of each node, since all were ready
        self.next_sweep = 0.0
        self.idle_since: float | None = None
        self.patience = patience()

    def run(self) -> None:
        """Keep the broker until it is no longer wanted. Raises LocalBrokerError if it cannot."""
        with self.place.gate():
            if not self.place.is_wanted():
                return
            self._tell()
        try:
            self._end_strays()
            self._start()
            while not (self._is_asked_to_stop() or self._is_idle()):
                self._watch_guard()
                self._watch_nodes()
                self._watch_archive()
                time.sleep(_LOOP if self.notice.state == "ready" else _HURRY)
            self._stop()
        except Exception as error:
            self._stop()
            self._tell(state="failed", error=str(error))
            raise

    def _tell(self, **changes: Any) -> None:
        java = tuple(process.pid for process in self.java)
        self.notice = replace(self.notice, java=java, **changes)
        self.place.write(self.notice)

    def _end_strays(self) -> None:
        """End the Java of a keeper that was killed, if its guard has not done so."""
        for node in layout(self.place, 0):
            if strays := guard.find(node.mark):
                logger.warning("ending the Kafka of a keeper that died: %s", strays)
                guard.end(strays, _PATIENCE)

    def _start(self) -> None:
        """Choose ports and start the guard and every node."""
        chosen, last = self.place.directory / "port", None
        with contextlib.suppress(OSError, ValueError):  # none yet, or emptied by a power cut
            last = int(chosen.read_text("ascii"))
        first = self.ports.choose(self.port, last)
        write_whole(chosen, str(first).encode())
        if self.open_at:
            check_open(self.open_at)
        self.nodes = layout(self.place, first, self.open_at)
        cluster = cluster_id(self.place)
        self._tell(cluster=cluster, addresses=tuple(node.address for node in self.nodes))
        for node in self.nodes:
            node.prepare(self.nodes, cluster)
        self._watch_guard()
        self.java = [self._run(node) for node in self.nodes]
        self._tell()

    def _run(self, node: Node) -> psutil.Popen:
        java, paths = find_java(), jars.paths()
        self.archive = Archive.of(java, paths, node)
        # If Kafka did not start, its archive may be damaged.
        flags = self.archive.flags(node) if self.ready_since or not self.failures else []
        process = node.start(node.command(java, paths, self.place.nodes, self.mark, flags))
        logger.info("node %d started as process %d on %s", node.number, process.pid, node.address)
        return process

    def _watch_guard(self) -> None:
        if self.guard is None or self.guard.poll() is not None:
            self.guard = start_guard(self.mark, *command(self.place, self.port, self.open_at))

    def _watch_nodes(self) -> None:
        """Check whether all nodes are ready, and restart those that have died."""
        dead = [n for n, process in enumerate(self.java) if process.poll() is not None]
        dead = [n for n in dead if not self.nodes[n].is_kept_down]
        for n in dead:
            node, code = self.nodes[n], self.java[n].returncode
            self.failures[n] += 1
            logger.warning("node %d ended with code %s:\n%s", node.number, code, node.last_words())
            if self.failures[n] >= _TRIES:
                raise LocalBrokerError(
                    f"Kafka ended {_TRIES} times before it was ready (exit code {code}, "
                    f"node {node.number} of {self.place.nodes}); its log is {node.log}\n"
                    f"{node.last_words()}"
                )
        if dead and self.ready_since is None:  # perhaps another program took a port: choose again
            self._end_java()
            self._start()
        elif dead:
            for n in dead:
                self.java[n] = self._run(self.nodes[n])
            self._tell(state="starting")
        elif self.notice.state != "ready" and self._is_ready():
            if self.failures and self.ready_since is None and self.archive:
                self.archive.discard()
            self.ready_since = time.monotonic()
            self.failures.clear()
            self._tell(state="ready")

    def _watch_archive(self) -> None:
        """Have the class archive made, once, if there is none."""
        if self.archiver or not self.archive or not self.ready_since:
            return
        if time.monotonic() > self.ready_since + _SETTLED and self.archive.is_due():
            run = [sys.executable, "-P", "-m", "clicklib.broker.archive", self.mark]
            self.archiver = subprocess.Popen(run, stdin=subprocess.DEVNULL, **detached())

    def _is_ready(self) -> bool:
        cluster, count = self.notice.cluster, len(self.nodes)
        return all(count_nodes(node.address, cluster) == count for node in self.nodes)

    def _is_asked_to_stop(self) -> bool:
        with contextlib.suppress(OSError):
            return self.place.stop.read_text("ascii") == self.notice.token
        return False

    def _is_idle(self) -> bool:
        """Whether there was no user for a while; then the notice tells new users to wait."""
        if time.monotonic() < self.next_sweep:
            return False
        with self.place.gate():
            if self.place.is_wanted():
                self.idle_since = None
            elif self.idle_since is None:
                self.idle_since = time.monotonic()
            elif time.monotonic() - self.idle_since >= self.patience:
                self._tell(state="stopping")
                return True
        self.next_sweep = time.monotonic() + _SWEEP
        return False

    def _stop(self) -> None:
        """End every node, then the guard, which has nothing left to do."""
        with contextlib.suppress(OSError):  # a full disk must not keep Java alive
            self._tell(state="stopping")
        if self.archiver is not None:
            self.archiver.terminate()
            self.archiver.wait()
        self._end_java()
        if self.guard is not None:
            self.guard.communicate(guard.FAREWELL)

    def _end_java(self) -> None:
        guard.end(self.java, _PATIENCE)
        for process in self.java:
            process.wait()


def main(arguments: list[str]) -> None:
    """Be the keeper of the cluster of so many nodes; end if it has a keeper already."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(message)s")
    place = Place(int(arguments[0]))

    def is_kept() -> bool:
        notice = place.read()
        return notice is not None and notice.is_kept()

    try:
        # A keeper that is stopping releases the lock in a moment.
        with place.keeper_lock.acquire(timeout=30, cancel_check=is_kept):
            Keeper(place, int(arguments[1]) or None, arguments[2]).run()
    except Timeout:
        pass  # another keeper has the cluster
    except LocalBrokerError as error:
        logger.error("giving up: %s", error)


if __name__ == "__main__":
    main(sys.argv[1:])
