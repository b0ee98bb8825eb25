"""Where the local Kafka lives on disk, and what its users and its keeper tell each other there.

<home>/jars/                 Kafka itself
<home>/kafka-<nodes>/        a `Place`: one local cluster of so many nodes
    gate.lock                held for moments: to register, and to decide that none is left
    keeper.lock              held by the one keeper for its whole life
    users/<pid>-<...>.lock   held by a user for its whole life; the system frees it at its end
    keeper.json              the `Record`: what the keeper says about itself
    stays                    exists when the broker shall stay without users
    stop                     asks the keeper named in it to end
    node-<n>/                a node's settings, data and logs
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import platformdirs
import psutil
from filelock import FileLock, Timeout

from clicklib.broker.guard import is_alive
from clicklib.errors import LocalBrokerError

__all__ = [
    "Mark",
    "Place",
    "Record",
    "home",
    "jars_directory",
    "last_lines",
    "named",
    "write_whole",
]


def home() -> Path:
    """The directory of all state of the local Kafka: `CLICKLIB_HOME`, or the user's data."""
    chosen = named("CLICKLIB_HOME", os.environ)
    return chosen or Path(platformdirs.user_data_dir("clicklib", appauthor=False))


def jars_directory() -> Path:
    """Where Kafka's jars are: `CLICKLIB_JARS`, or `jars` in the home."""
    return named("CLICKLIB_JARS", os.environ) or home() / "jars"


def named(variable: str, environ: Mapping[str, str]) -> Path | None:
    """The path that an environment variable names, or None where it is unset.

    Raises LocalBrokerError for one that cannot be, there or not there.
    """
    text = environ.get(variable)
    if not text:
        return None
    try:
        path = Path(text).expanduser().absolute()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.stat()
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or error
        raise LocalBrokerError(f"{variable} names a path that cannot be used: {why}") from error
    return path


@dataclass(frozen=True)
class Mark:
    """A process, told from a later one of the same id by its time of birth."""

    pid: int
    born: float

    @classmethod
    def of(cls, pid: int) -> Mark:
        """The mark of a living process."""
        return cls(pid, psutil.Process(pid).create_time())

    def process(self) -> psutil.Process | None:
        """The process, or None if it has ended (a zombie has)."""
        try:
            process = psutil.Process(self.pid)
            # Times of birth are reckoned from the clock, which may be set in between.
            same = abs(process.create_time() - self.born) < 2
            return process if same and is_alive(process) else None
        except psutil.Error:
            return None


@dataclass(frozen=True)
class Record:
    """What a keeper says about itself; `state` is starting, ready, stopping or failed."""

    state: str
    token: str
    keeper: Mark
    cluster: str = ""
    addresses: tuple[str, ...] = ()
    java: tuple[int, ...] = ()
    error: str = ""

    def is_kept(self) -> bool:
        """Whether a living keeper holds a broker for those who register."""
        return self.state in ("starting", "ready") and self.keeper.process() is not None


class Place:
    """The directory of one local cluster."""

    def __init__(self, nodes: int) -> None:
        self.nodes = nodes
        self.directory = home() / f"kafka-{nodes}"
        self.users = self.directory / "users"
        self.stays = self.directory / "stays"
        self.stop = self.directory / "stop"
        self.record_file = self.directory / "keeper.json"
        self.keeper_log = self.directory / "keeper.log"
        self.keeper_lock = FileLock(self.directory / "keeper.lock", thread_local=False)

    @classmethod
    def all(cls) -> list[Place]:
        """The places that there are, by their numbers of nodes."""
        numbers = [path.name.removeprefix("kafka-") for path in home().glob("kafka-*")]
        return [cls(number) for number in sorted(int(n) for n in numbers if n.isdecimal())]

    def create(self) -> None:
        """Make the directory. Raises LocalBrokerError if that cannot be."""
        try:
            self.users.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LocalBrokerError(
                f"cannot keep the local Kafka in {self.directory}: {error}; "
                "name a directory that you may write to in CLICKLIB_HOME"
            ) from error

    @contextlib.contextmanager
    def gate(self) -> Iterator[None]:
        """The lock under which users register and the keeper decides that none is left."""
        lock = FileLock(self.directory / "gate.lock", thread_local=False)
        try:
            lock.acquire(timeout=30)
        except Timeout:
            raise LocalBrokerError(
                f"another process has held {lock.lock_file} for 30 s, which takes a moment: "
                "perhaps it is suspended; resume or end it"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def node_directory(self, number: int) -> Path:
        """Where node `number`, counted from 1, keeps its settings, data and logs."""
        return self.directory / f"node-{number}"

    def register(self) -> FileLock:
        """Make this process a user until the lock is released or the process ends.

        To be called under the gate, or a sweep could take the file before it is locked.
        """
        name = f"{os.getpid()}-{secrets.token_hex(4)}.lock"
        lock = FileLock(self.users / name, thread_local=False)
        lock.acquire(timeout=5)
        return lock

    def sweep(self) -> list[int]:
        """The ids of the users that live; the files of the others are deleted. Under the gate."""
        living = []
        for path in sorted(self.users.glob("*.lock")):
            lock = FileLock(path)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                living.append(int(path.name.partition("-")[0]))
            else:
                lock.release()
                path.unlink(missing_ok=True)
        return living

    def size(self) -> int:
        """The bytes of all files in it."""
        total = 0
        for path in self.directory.rglob("*"):
            with contextlib.suppress(OSError):  # Kafka deletes files while we look
                total += path.stat().st_size if path.is_file() else 0
        return total

    def read(self) -> Record | None:
        """The keeper's last word, or None if there was none or it was wiped."""
        try:
            return msgspec.json.decode(self.record_file.read_bytes(), type=Record)
        except (OSError, msgspec.DecodeError):
            return None

    def write(self, record: Record) -> None:
        """Replace the keeper's word in one step."""
        write_whole(self.record_file, msgspec.json.encode(record))


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old or the new one, never a part."""
    scratch = path.with_name(f".{path.name}-{os.getpid()}")
    scratch.write_bytes(data)
    for _ in range(100):
        try:
            os.replace(scratch, path)
            return
        except PermissionError:  # Windows, while another process reads the old one
            if os.name != "nt":
                raise
            time.sleep(0.01)
    raise TimeoutError(f"{path} is held open by another process")


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a text file, none if it is not there; reads at most its last 64 KB."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65536))
        return file.read().decode(errors="replace").splitlines()[-count:]
    return []
