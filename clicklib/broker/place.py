"""The place of a local cluster: the directory that its users and its keeper share.

<home>/jars/                 Kafka itself
<home>/kafka-<nodes>/        a `Place`: one local cluster of so many nodes
    gate.lock                held for moments: to register a user, to decide that no user is left
    keeper.lock              held by the one keeper while it runs
    users/<pid>-<...>.lock   held by a user while it runs; the system frees it at the user's end
    keeper.json              the keeper's `Notice`
    keeper.log               the log of the keeper
    port                     the first port in the keeper's last choice
    cluster.id               the id of the cluster
    stays                    exists if the broker must run even without users
    stop                     holds the token of a keeper that must end
    node-<n>/                a node's settings, data and logs
    node-<n>/down.lock       held by a program that wants the dead node to stay down for a while
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator

import msgspec
from filelock import FileLock, Timeout

from clicklib.broker.files import write_whole
from clicklib.broker.notice import Notice
from clicklib.broker.paths import home
from clicklib.errors import LocalBrokerError

__all__ = ["Place"]


class Place:
    """The directory of one local cluster."""

    def __init__(self, nodes: int) -> None:
        self.nodes = nodes
        self.directory = home() / f"kafka-{nodes}"
        self.users = self.directory / "users"
        self.stays = self.directory / "stays"
        self.stop = self.directory / "stop"
        self.notice_file = self.directory / "keeper.json"
        self.keeper_log = self.directory / "keeper.log"
        self.keeper_lock = FileLock(self.directory / "keeper.lock", thread_local=False)

    @classmethod
    def all(cls) -> list[Place]:
        """All places of this home, by their numbers of nodes."""
        numbers = [path.name.removeprefix("kafka-") for path in home().glob("kafka-*")]
        return [cls(number) for number in sorted(int(n) for n in numbers if n.isdecimal())]

    def create(self) -> None:
        """Make the directory. Raises LocalBrokerError if that fails."""
        try:
            self.users.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LocalBrokerError(
                f"cannot keep the local Kafka in {self.directory}: {error}; "
                "name a directory that you may write to in CLICKLIB_HOME"
            ) from error

    @contextlib.contextmanager
    def gate(self) -> Iterator[None]:
        """The lock under which users register and the keeper decides that no user is left."""
        lock = FileLock(self.directory / "gate.lock", timeout=30, thread_local=False)
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(lock)
            except Timeout:
                raise LocalBrokerError(
                    f"another process has held {lock.lock_file} for 30 s, which takes a moment: "
                    "perhaps it is suspended; resume or end it"
                ) from None
            yield

    def register(self) -> FileLock:
        """Make this process a user until the lock is released or the process ends.

        Call it under the gate: else a sweep could delete the file before it is locked.
        """
        name = f"{os.getpid()}-{secrets.token_hex(4)}.lock"
        lock = FileLock(self.users / name, thread_local=False)
        lock.acquire(timeout=5)
        return lock

    def sweep(self) -> list[int]:
        """The ids of the users that still run; deletes the files of the others.

        Call it under the gate.
        """
        living = []
        for path in sorted(self.users.glob("*.lock")):
            try:
                with FileLock(path, timeout=0):
                    pass
                path.unlink(missing_ok=True)
            except Timeout:
                living.append(int(path.name.partition("-")[0]))
        return living

    def is_wanted(self) -> bool:
        """Whether it has a user, or must run without one. Call it under the gate."""
        return bool(self.sweep()) or self.stays.exists()

    def size(self) -> int:
        """The bytes that all files in it take on the disk: Kafka's indexes are mostly holes."""
        total = 0
        for path in self.directory.rglob("*"):
            with contextlib.suppress(OSError):  # Kafka deletes files while we look
                found = path.stat()
                taken = getattr(found, "st_blocks", None)  # of 512 bytes; Windows does not tell
                total += found.st_size if taken is None else 512 * taken
        return total

    def read(self) -> Notice | None:
        """The keeper's notice, or None if there was none or it was wiped."""
        try:
            return msgspec.json.decode(self.notice_file.read_bytes(), type=Notice)
        except (OSError, msgspec.DecodeError):
            return None

    def write(self, notice: Notice) -> None:
        """Replace the keeper's notice in one step."""
        write_whole(self.notice_file, msgspec.json.encode(notice))
