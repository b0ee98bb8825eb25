"""A node of a local Kafka: its files, its settings, its command."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import psutil
from filelock import FileLock, Timeout

from clicklib.broker.detach import detached
from clicklib.broker.files import last_lines, write_whole
from clicklib.broker.guard import MAIN
from clicklib.broker.java import Java, environment
from clicklib.broker.place import Place
from clicklib.broker.ports import LOOPBACK

__all__ = ["Node", "cluster_id", "kept_down", "layout"]

_SETTINGS = Template(Path(__file__).with_name("node.properties").read_text("utf-8"))
_PLAIN = re.compile(r"[\w./ +-]{1,250}", re.ASCII)
_HEAP = {True: "256m", False: "192m"}  # of a single node; of one of several


def kept_down(directory: Path) -> FileLock:
    """A lock in a node's directory. The keeper does not restart a dead node while it is held.

    The system frees it when its holder ends.
    """
    return FileLock(directory / "down.lock", timeout=0, thread_local=False)


@dataclass(frozen=True)
class Node:
    """One node of a local cluster, broker and controller in one process.

    At `open_at`, an address as 'host:port', it also listens to programs that log in with a
    password. Without it the node listens to this machine alone.
    """

    number: int
    directory: Path
    port: int
    controller_port: int
    open_at: str = ""

    @property
    def address(self) -> str:
        """The broker's address, as 'host:port'."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def settings(self) -> Path:
        """The file of settings that Kafka starts with."""
        return self.directory / "broker.properties"

    @property
    def log(self) -> Path:
        """Kafka's own log: warnings and errors."""
        return self.directory / "kafka.log"

    @property
    def output(self) -> Path:
        """The output of Java itself, such as why it cannot start."""
        return self.directory / "java.log"

    @property
    def is_kept_down(self) -> bool:
        """Whether a program holds the lock of `kept_down`."""
        try:
            with kept_down(self.directory):
                return False
        except Timeout:
            return True

    def prepare(self, nodes: Sequence[Node], cluster_id: str) -> None:
        """Write the settings, and create the data directories that are missing."""
        # Two separate directories. Kafka does not start with the metadata inside the log directory.
        # Without a directory for metadata a second broker truncates those of the first broker.
        for directory in (self.directory / "log", self.directory / "meta"):
            directory.mkdir(parents=True, exist_ok=True)
            meta = directory / "meta.properties"
            if not meta.exists():
                text = f"version=1\ncluster.id={cluster_id}\nnode.id={self.number}\n"
                write_whole(meta, text.encode())
        write_whole(self.settings, self._settings(nodes).encode())
        if self.log.exists() and self.log.stat().st_size > 1_000_000:
            os.replace(self.log, self.log.with_suffix(".log.1"))

    @property
    def mark(self) -> str:
        """The option that marks the Java of this node. It has no effect."""
        return f"-Dclicklib.node={self.directory}"

    def name_of(self, path: Path) -> str:
        """The name that Java gets for a file.

        Java and Kafka would take a colon, a comma or a backslash in a path for signs of their own.
        So only a plain path is named as a whole; then homes that share their jars also share the
        class archive. Any other is relative to the node's directory.
        """
        real = os.path.realpath(path)
        if _PLAIN.fullmatch(real):
            return real
        try:
            return os.path.relpath(real, os.path.realpath(self.directory))
        except ValueError:  # another drive of Windows
            return real

    def command(
        self, java: Java, jars: Sequence[Path], nodes: int, mark: str, flags: Sequence[str] = ()
    ) -> list[str]:
        """The command that runs the node in its directory, with `mark` among Java's options.

        `flags` are those of Java beside the usual ones.
        """
        return [
            str(java.path),
            *java.flags(_HEAP[nodes == 1]),
            *flags,
            mark,
            self.mark,
            # Without a logging backend Kafka hides every error, even a port in use.
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
            f"-Dorg.slf4j.simpleLogger.logFile={self.log.name}",
            "-cp",
            os.pathsep.join(map(self.name_of, jars)),
            MAIN,
            self.settings.name,
        ]

    def start(self, command: Sequence[str]) -> psutil.Popen:
        """Run its command in its directory. It outlives this program and gets no Ctrl-C."""
        with self.output.open("wb") as output:
            return psutil.Popen(
                command,
                cwd=self.directory,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **detached(),
            )

    def last_words(self, count: int = 8) -> str:
        """The node's last error lines, from Java's output and Kafka's log."""
        lines = [*last_lines(self.output, 200), *last_lines(self.log, 200)]
        told = [line for line in lines if not line.startswith("\tat ")]
        return "\n".join(told[-count:])

    def _settings(self, nodes: Sequence[Node]) -> str:
        opened = f",SASL_PLAINTEXT://{self.open_at}" if self.open_at else ""
        return _SETTINGS.substitute(
            number=self.number,
            voters=",".join(f"{n.number}@{LOOPBACK}:{n.controller_port}" for n in nodes),
            listeners=f"PLAINTEXT://{self.address}{opened}",
            controller=f"{LOOPBACK}:{self.controller_port}",
            copies=len(nodes),
            in_step=max(1, len(nodes) - 1),
        )


def layout(place: Place, first: int, open_at: str = "") -> list[Node]:
    """The nodes of a cluster on the ports from `first` on: brokers, then controllers.

    The first one is also open at `open_at`.
    """
    nodes = []
    for n, port in enumerate(range(first, first + place.nodes), start=1):
        directory = place.directory / f"node-{n}"
        nodes.append(Node(n, directory, port, port + place.nodes, open_at if n == 1 else ""))
    return nodes


def cluster_id(place: Place) -> str:
    """The id of the cluster whose data are in `place`; a new id if there are no data."""
    path = place.directory / "cluster.id"
    if not path.exists():
        # Kafka's own tools would take a leading '-' for an option.
        text = urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=").replace("-", "A")
        write_whole(path, text.encode())
    return path.read_text("utf-8").strip()
