"""The class archive of Kafka: Java maps all classes from one file, and starts in half the time.

    python -m clicklib.broker.archive MARK

It lies beside the jars, and is named by the Java and the jars that it is for. It is a help only: if
it is missing, does not fit or is damaged, Kafka starts without it.

Java writes it at the end of a run, and needs 2 s for that. So no Kafka that is in use writes one.
It comes from a trial: a Kafka that starts, answers and ends. `broker.fetch()` runs a trial, and so
does a keeper, as this program in the background, if there is no archive.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from clicklib.broker import guard, jars, needs
from clicklib.broker.answer import count_nodes
from clicklib.broker.java import Java, find_java
from clicklib.broker.launch import start_guard
from clicklib.broker.node import Node
from clicklib.broker.paths import home
from clicklib.broker.ports import Ports
from clicklib.errors import LocalBrokerError

__all__ = ["Archive", "main", "make"]

logger = logging.getLogger("clicklib")

_KEPT = 2  # somebody may change between two Javas
_PATIENCE = 120.0  # seconds for Kafka to answer, and again for Java to write the archive
_ENDED = 128 + 15  # the exit code of a Java that ended by itself when it was asked to
_NICE = 10  # of the trial behind a Kafka in use: it gives way, and yet ends soon when asked to
_CLUSTER = "clicklib-class-archive"


@dataclass(frozen=True)
class Archive:
    """The archive for a node's Java and jars; `file` need not exist.

    An empty file says that this Java wrote none, as one before 25 without an archive of its own.
    """

    java: Java
    file: Path

    @classmethod
    def of(cls, java: Java, paths: Sequence[Path], node: Node) -> Archive:
        """The archive of these jars for nodes that name them as `node` does."""
        executable = java.path.resolve()
        about = [str(executable), *map(node.name_of, paths)]
        for path in (executable, executable.parent.parent / "release", *paths):
            with contextlib.suppress(OSError):
                stat = path.stat()
                about.append(f"{stat.st_size} {int(stat.st_mtime)}")
        key = hashlib.sha256("\n".join(about).encode(errors="surrogateescape")).hexdigest()
        return cls(java, paths[0].parent / f"classes-{key[:16]}.jsa")

    def flags(self, node: Node) -> list[str]:
        """Java's flags that use it, none if there is no archive."""
        with contextlib.suppress(OSError):
            if self.file.stat().st_size > 0:
                return self.java.flags_to_use(node.name_of(self.file))
        return []

    def is_due(self) -> bool:
        """Whether it was not tried to make it. Windows cannot ask Java to end by itself."""
        return os.name == "posix" and not self.file.exists()

    def discard(self) -> None:
        """Delete the file."""
        with contextlib.suppress(OSError):
            self.file.unlink(missing_ok=True)

    def keep(self, scratch: Path) -> None:
        """Move what Java has written into place, and delete what nothing has used for longest."""
        scratch.touch()
        os.replace(scratch, self.file)
        found = sorted(self.file.parent.glob("classes-*.jsa"), key=os.path.getmtime)
        for path in found[:-_KEPT]:
            path.unlink(missing_ok=True)


def make(mark: str = "-Dclicklib.archive") -> None:
    """Make the archive of this home's Java and jars, if there is none; takes about 4 s.

    If it cannot be made, nothing happens. `mark` is among the options of the Java that runs
    meanwhile. Of several processes one makes it, and the others return at once.
    """
    paths = jars.paths()
    node = Node(1, home() / "kafka-trial" / "node-1", 0, 0)  # as deep as the others of this home
    try:
        archive = Archive.of(find_java(), paths, node)
        if archive.is_due():
            needs.memory()
            needs.disk(archive.file.parent)
            with FileLock(archive.file.with_name(".archive.lock"), timeout=0):
                if archive.is_due():  # still: another process may have made it
                    _run_trial(archive, node.directory, paths, mark)
    except Timeout:
        logger.info("another process makes the class archive")
    except (OSError, LocalBrokerError, psutil.Error) as error:
        logger.info("no class archive: %s", error)


def _run_trial(archive: Archive, directory: Path, paths: Sequence[Path], mark: str) -> None:
    """Run a node until it answers, and move the archive that Java writes at its end into place."""
    ports = Ports(2)
    first = ports.choose(None, 11_002)  # where no keeper begins to look
    node = Node(1, directory, first, first + 1)
    folder = archive.file.with_name(".archive")  # Java 25 also leaves a file of its own there
    scratch = folder / "new.jsa"
    try:
        folder.mkdir(exist_ok=True)
        flags = archive.java.flags_to_make(node.name_of(scratch))
        _run_until_it_answers(node, node.command(archive.java, paths, 1, mark, flags))
        archive.keep(scratch)
        logger.info("made the class archive %s", archive.file)
    finally:
        ports.release()
        for done in (folder, directory.parent):
            shutil.rmtree(done, ignore_errors=True)


def _run_until_it_answers(node: Node, command: Sequence[str]) -> None:
    """Raises LocalBrokerError if it does not answer, or if somebody else ends it."""
    node.prepare([node], _CLUSTER)
    watching = start_guard(node.mark)
    java = node.start(command)
    try:
        deadline = time.monotonic() + _PATIENCE
        while not count_nodes(node.address, _CLUSTER):
            if java.poll() is not None or time.monotonic() > deadline:
                raise LocalBrokerError(f"Kafka did not answer: {node.last_words()}")
            time.sleep(0.05)
        java.terminate()
        if (code := java.wait(_PATIENCE)) != _ENDED:
            raise LocalBrokerError(f"Java ended with code {code}: {node.last_words()}")
    finally:
        guard.end(_family(java), 0)
        watching.communicate(guard.FAREWELL)


def _family(java: psutil.Process) -> list[psutil.Process]:
    """It and its children: a Java from 25 on has another one write the archive."""
    try:
        return [java, *java.children(recursive=True)]
    except psutil.NoSuchProcess:
        return [java]


def main(arguments: list[str]) -> None:
    """Make the archive behind everything else that runs; end at once when asked to."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    psutil.Process().nice(_NICE)
    make(*arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
