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

import psutil
from filelock import FileLock, Timeout

from clicklib.broker.detach import detached
from clicklib.broker.files import last_lines, write_whole
from clicklib.broker.guard import MAIN
from clicklib.broker.java import Java, environment
from clicklib.broker.place import Place
from clicklib.broker.ports import LOOPBACK

__all__ = ["Node", "cluster_id", "kept_down", "layout"]

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
        lines = [f"{name}={value}" for name, value in self._settings(nodes).items()]
        write_whole(self.settings, "\n".join([*lines, ""]).encode())
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

    def _settings(self, nodes: Sequence[Node]) -> dict[str, object]:
        several = len(nodes) > 1
        copies, in_step = (len(nodes), len(nodes) - 1) if several else (1, 1)
        voters = ",".join(f"{n.number}@{LOOPBACK}:{n.controller_port}" for n in nodes)
        controller = f"CONTROLLER://{LOOPBACK}:{self.controller_port}"
        settings: dict[str, object] = {
            "process.roles": "broker,controller",
            "node.id": self.number,
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://{self.address},{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": "log",
            "metadata.log.dir": "meta",
            # A broker that was killed and started again leads its partitions until its old
            # registration expires (9 s by default). Then it loses them and gets them back, and the
            # group coordinator reads its log a second time. If the first reading still goes on, an
            # old member stays in the group until its max_poll_interval is over. Until then no
            # member gets a partition.
            "broker.session.timeout.ms": 1500,
            "offsets.topic.segment.bytes": 1 << 20,
            "transaction.state.log.segment.bytes": 1 << 20,
            "broker.heartbeat.interval.ms": 200,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 500,
            "auto.create.topics.enable": "false",
            "default.replication.factor": copies,
            "min.insync.replicas": in_step,
            "offsets.topic.replication.factor": copies,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": in_step,
            "transaction.state.log.num.partitions": 4,
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": in_step,
            # Data and offsets stay until a wipe.
            "log.retention.ms": -1,
            "offsets.retention.minutes": 2147483647,
            "log.cleaner.backoff.ms": 200,
            "log.cleaner.dedupe.buffer.size": 4194304,
        }
        if several:  # after the loss of a leader, acknowledgements stop for 1.7 s instead of 7
            settings |= {
                "controller.quorum.election.timeout.ms": 300,
                "controller.quorum.fetch.timeout.ms": 600,
                "controller.quorum.election.backoff.max.ms": 200,
            }
        return settings | (self._open_settings(controller) if self.open_at else {})

    def _open_settings(self, controller: str) -> dict[str, object]:
        """What also listens at `open_at`. Nobody has a password yet, so nobody can log in."""
        both = f"PLAINTEXT://{self.address},SASL_PLAINTEXT://{self.open_at}"
        own = "listener.name.sasl_plaintext."
        return {
            "listeners": f"{both},{controller}",
            "advertised.listeners": both,
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
            "SASL_PLAINTEXT:SASL_PLAINTEXT",
            "sasl.enabled.mechanisms": "SCRAM-SHA-256",
            f"{own}scram-sha-256.sasl.jaas.config": "org.apache.kafka.common.security.scram."
            "ScramLoginModule required;",
        }


def layout(place: Place, first: int, open_at: str = "") -> list[Node]:
    """The nodes of a cluster on the ports from `first` on: brokers, then controllers.

    The first one is also open at `open_at`.
    """
    count = place.nodes
    return [
        Node(
            n,
            place.node_directory(n),
            first + n - 1,
            first + count + n - 1,
            open_at if n == 1 else "",
        )
        for n in range(1, count + 1)
    ]


def cluster_id(place: Place) -> str:
    """The id of the cluster whose data are in `place`; a new id if there are no data."""
    path = place.directory / "cluster.id"
    if not path.exists():
        # Kafka's own tools would take a leading '-' for an option.
        text = urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=").replace("-", "A")
        write_whole(path, text.encode())
    return path.read_text("utf-8").strip()
