"""The keeper: the process that owns the local Kafka, and there is only one.

    python -m clicklib.broker.keeper NODES [PORT]

It takes `keeper.lock` of its place (a second keeper leaves again), starts Java and a guard that
ends Java should the keeper be killed, and then looks after both: a node that dies is started
again on its port, and when no user is left for a second (unless the broker shall stay), or a
stop is asked for, all end. One thread, one loop, no signals: so it is the same on every system.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from filelock import Timeout

from clicklib.broker import guard, jars
from clicklib.broker.java import find_java
from clicklib.broker.node import Node, cluster_id, count_nodes, layout
from clicklib.broker.place import Mark, Place, Record, jars_directory, write_whole
from clicklib.broker.ports import Ports
from clicklib.errors import LocalBrokerError

__all__ = ["Keeper", "detached", "launch", "main", "mark_of"]

logger = logging.getLogger("clicklib")

_LOOP = 0.1  # seconds between two looks at everything
_SWEEP = 0.5  # seconds between two looks for users
_LINGER = 1.0  # seconds without users before the end: a program that follows finds it running
_PATIENCE = 8.0  # seconds for Java to stop by itself: one node takes 0.7, three 5.5
_TRIES = 3  # starts of a node without all being ready before giving up


class Keeper:
    """Owns the nodes of one place, whose `keeper.lock` it holds."""

    def __init__(self, place: Place, port: int | None) -> None:
        self.place = place
        self.port = port
        self.ports = Ports(2 * place.nodes)  # each node's broker and controller
        token = secrets.token_hex(8)
        self.mark = mark_of(token)
        self.record = Record("starting", token, Mark.of(os.getpid()))
        self.nodes: list[Node] = []
        self.java: list[subprocess.Popen[bytes]] = []
        self.guard: subprocess.Popen[bytes] | None = None
        self.was_ready = False
        self.failures: Counter[int] = Counter()  # of each node, since all were ready
        self.next_sweep = 0.0
        self.idle_since: float | None = None

    def run(self) -> None:
        """Keep the broker until it is no longer wanted. Raises LocalBrokerError if it cannot."""
        with self.place.gate():
            if not self._is_wanted():
                return
            self._tell()
        try:
            self._end_strays()
            self._start()
            while not (self._is_asked_to_stop() or self._is_idle()):
                self._watch_guard()
                self._watch_nodes()
                time.sleep(_LOOP)
            self._stop()
        except Exception as error:
            self._stop()
            self._tell(state="failed", error=str(error))
            raise

    def _tell(self, **changes: Any) -> None:
        self.record = replace(self.record, **changes)
        self.place.write(self.record)

    def _end_strays(self) -> None:
        """End what a killed keeper left, should its guard not have done so (yet)."""
        for number in range(1, self.place.nodes + 1):
            settings = self.place.node_directory(number) / "broker.properties"
            if strays := guard.find(str(settings)):
                logger.warning("ending the Kafka of a keeper that died: %s", strays)
                guard.end(strays, _PATIENCE)

    def _start(self) -> None:
        """Choose ports and start the guard and every node."""
        memory = self.place.directory / "port"
        last = int(memory.read_text("ascii")) if memory.exists() else None
        first = self.ports.choose(self.port, last)
        write_whole(memory, str(first).encode())
        self.nodes = layout(self.place, first)
        cluster = cluster_id(self.place)
        self._tell(cluster=cluster, addresses=tuple(node.address for node in self.nodes))
        for node in self.nodes:
            node.prepare(self.nodes, cluster)
        self._watch_guard()
        self.java = [self._run(node) for node in self.nodes]
        self._tell(java=self._pids())

    def _run(self, node: Node) -> subprocess.Popen[bytes]:
        paths = [jars_directory() / jar.name for jar in jars.pinned()]
        command = node.command(find_java(), paths, self.place.nodes, self.mark)
        with node.output.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=node.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **detached(),
            )
        logger.info("node %d started as process %d on %s", node.number, process.pid, node.address)
        return process

    def _pids(self) -> tuple[int, ...]:
        return tuple(process.pid for process in self.java)

    def _watch_guard(self) -> None:
        if self.guard is None or self.guard.poll() is not None:
            script = str(Path(guard.__file__))
            command = [sys.executable, "-P", script, self.mark, *_command(self.place, self.port)]
            self.guard = subprocess.Popen(command, stdin=subprocess.PIPE, **detached())

    def _watch_nodes(self) -> None:
        """See whether all nodes are ready, and start those again that have died."""
        dead = [n for n, process in enumerate(self.java) if process.poll() is not None]
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
        if dead and not self.was_ready:  # another program may have taken a port: choose again
            self._end_java()
            self._start()
        elif dead:
            for n in dead:
                self.java[n] = self._run(self.nodes[n])
            self._tell(state="starting", java=self._pids())
        elif self.record.state != "ready" and self._is_ready():
            self.was_ready = True
            self.failures.clear()
            self._tell(state="ready")

    def _is_ready(self) -> bool:
        cluster, count = self.record.cluster, len(self.nodes)
        return all(count_nodes(node.address, cluster) == count for node in self.nodes)

    def _is_asked_to_stop(self) -> bool:
        with contextlib.suppress(OSError):
            return self.place.stop.read_text("ascii") == self.record.token
        return False

    def _is_idle(self) -> bool:
        """Whether no user has been there for a while; then none can register here any more."""
        if time.monotonic() < self.next_sweep:
            return False
        with self.place.gate():
            if self._is_wanted():
                self.idle_since = None
            elif self.idle_since is None:
                self.idle_since = time.monotonic()
            elif time.monotonic() - self.idle_since >= _LINGER:
                self._tell(state="stopping")
                return True
        self.next_sweep = time.monotonic() + _SWEEP
        return False

    def _is_wanted(self) -> bool:
        return bool(self.place.sweep()) or self.place.stays.exists()

    def _stop(self) -> None:
        """End every node, then the guard, which has nothing left to do."""
        with contextlib.suppress(OSError):  # a full disk must not keep Java alive
            self._tell(state="stopping")
        self._end_java()
        if self.guard is not None:
            self.guard.communicate(guard.FAREWELL)

    def _end_java(self) -> None:
        for process in self.java:
            process.terminate()
        deadline = time.monotonic() + _PATIENCE
        for process in self.java:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def mark_of(token: str) -> str:
    """The option by which the Java of a keeper is known: Java keeps it, and nothing else."""
    return f"-Dclicklib.keeper={token}"


def launch(place: Place, port: int | None) -> Mark | None:
    """Start a keeper for a place; None if it has ended already.

    A short program between makes it no child of this process, which so needs not wait for its
    end, nor notices it as a child of its own in any other way.
    """
    package = str(Path(__file__).parents[2])
    environment = os.environ | {
        "CLICKLIB_HOME": str(place.directory.parent),
        "CLICKLIB_JARS": str(jars_directory()),
        "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])),
    }
    between = [sys.executable, "-I", "-S", "-c", _BETWEEN, str(place.keeper_log)]
    between += [json.dumps(detached()), *_command(place, port)]
    try:
        done = subprocess.run(
            between, cwd=place.directory, env=environment, capture_output=True, check=True
        )
        return Mark.of(int(done.stdout))
    except subprocess.CalledProcessError as error:
        why = error.stderr.decode(errors="replace")[-1000:]
        raise LocalBrokerError(f"cannot start the keeper of the local Kafka: {why}") from error
    except psutil.NoSuchProcess:
        return None


def _command(place: Place, port: int | None) -> list[str]:
    command = [sys.executable, "-P", "-m", "clicklib.broker.keeper", str(place.nodes)]
    return command if port is None else [*command, str(port)]


_BETWEEN = """
import json, subprocess, sys
log, options, *command = sys.argv[1:]
with open(log, "ab") as log:
    keeper = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **json.loads(options)
    )
print(keeper.pid)
"""


def detached() -> dict[str, Any]:
    """How Popen starts a process that outlives its parent and gets none of its Ctrl-C."""
    if sys.platform == "win32":
        new_group, no_console = 0x200, 0x08000000
        return {"creationflags": new_group | no_console}
    return {"start_new_session": True}


def main(arguments: list[str]) -> None:
    """Be the keeper of the place of so many nodes, or leave if there is one already."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(message)s")
    place = Place(int(arguments[0]))
    deadline = time.monotonic() + 30
    while True:
        try:
            place.keeper_lock.acquire(timeout=0)
            break
        except Timeout:
            # It may be stopping, and then the place is ours in a moment.
            record = place.read()
            if (record and record.is_kept()) or time.monotonic() > deadline:
                return
            time.sleep(0.05)
    try:
        Keeper(place, int(arguments[1]) if len(arguments) > 1 else None).run()
    except LocalBrokerError as error:
        logger.error("giving up: %s", error)
    finally:
        place.keeper_lock.release()


if __name__ == "__main__":
    main(sys.argv[1:])
