"""A Kafka node of a test's own, of any release and with any settings."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from clicklib import broker
from clicklib.broker import guard, jars
from clicklib.broker.answer import count_nodes
from clicklib.broker.archive import Archive
from clicklib.broker.java import environment, find_java
from clicklib.broker.node import Node
from clicklib.broker.ports import Ports
from tests.waiting import wait_until

__all__ = ["NEWEST", "OLDER", "new_node", "prepare", "running"]

_ID = "clicklib-test-1"
_LOCKS = Path(__file__).parent / "brokers"

OLDER = tuple(sorted(path.stem for path in _LOCKS.glob("*.lock")))
"""The older releases of which the jars are pinned, the oldest first."""

[NEWEST] = {jar.version for jar in jars.pinned() if jar.artifact == "kafka_2.13"}
"""The release of the local Kafka."""


@contextlib.contextmanager
def new_node(folder: Path, settings: Mapping[str, object]) -> Iterator[Node]:
    """A node on ports of its own, whose settings differ in `settings` from the local Kafka's."""
    ports = Ports(2)
    # Not near 9092: another test's endpoint may take 9095 while Kafka starts.
    first = ports.choose(None, random.randrange(9_202, 11_002, 10))
    node = Node(1, folder / "node", first, first + 1)
    prepare(node, settings)
    yield node
    ports.release()


def prepare(node: Node, settings: Mapping[str, object]) -> None:
    """Write the node's files."""
    node.prepare([node], _ID)
    with node.settings.open("a") as file:  # of a name that comes twice the last counts
        file.writelines(f"{name}={value}\n" for name, value in settings.items())


@contextlib.contextmanager
def running(node: Node, release: str = NEWEST) -> Iterator[None]:
    """Run the node with the jars of a release. Its data stay."""
    mark = f"-Dclicklib.test={node.port}"
    java, paths = find_java(), _jars(release)
    flags = Archive.of(java, paths, node).flags(node)
    command = node.command(java, paths, 1, mark, flags)
    with (
        node.output.open("wb") as out,
        _guarded(mark),
        subprocess.Popen(
            command, cwd=node.directory, env=environment(), stdout=out, stderr=out
        ) as java,
    ):
        try:
            wait_until("Kafka answers", lambda: count_nodes(node.address, _ID))
            yield
        finally:
            guard.end(guard.find(mark), 10)
            java.wait(10)


def _jars(release: str) -> list[Path]:
    """The jars of a release, fetched into a folder beside those of the local Kafka."""
    directory = broker.fetch(progress=False)
    if release == NEWEST:
        return jars.paths()
    pinned = jars.read_lock((_LOCKS / f"{release}.lock").read_text())
    return jars.fetch(directory / "older", progress=False, jars=pinned)


@contextlib.contextmanager
def _guarded(mark: str) -> Iterator[None]:
    """A guard that ends Java should the tests be killed."""
    command = [sys.executable, guard.__file__, mark]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    try:
        yield
    finally:
        process.communicate(guard.FAREWELL)
