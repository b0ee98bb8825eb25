"""The folders of local stores. Each folder belongs to one owner and one topic.

    <state dir>/<cluster id>/<owner>/<topic>/<slot>/<partition>/

A program takes a slot by a file lock. The operating system frees the lock, however the program
ends. The first program of an owner gets slot 0, and finds its stores there after a restart. A
second program at the same time gets slot 1.
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import platformdirs
from filelock import FileLock, Timeout

from clicklib.errors import OUT_OF_FILES, StoreError, UsageError, is_out_of_files
from clicklib.stores.lmdb import LmdbStorage
from clicklib.stores.memory import MemoryStorage
from clicklib.table import Storage

__all__ = ["MemoryDirectory", "StateDirectory", "Stores", "default_state_dir", "open_stores"]

_SLOTS = 1_000
_ADVICE = "name a folder by state_dir, --state-dir or CLICKLIB_STATE_DIR"


def default_state_dir() -> Path:
    """The folder of stores if a program names no other.

    It is `CLICKLIB_STATE_DIR`, else `state` in `CLICKLIB_HOME`, else the user's cache folder.
    Raises UsageError if the user has no home folder.
    """
    try:
        if chosen := os.environ.get("CLICKLIB_STATE_DIR"):
            return Path(chosen).expanduser().absolute()
        if home := os.environ.get("CLICKLIB_HOME"):
            return Path(home).expanduser().absolute() / "state"
        found = Path(platformdirs.user_cache_dir("clicklib"))
    except RuntimeError:
        found = Path()
    if not found.is_absolute():
        raise UsageError(f"this user has no home folder for local stores; {_ADVICE}")
    return found


def open_stores(
    storage: str, state_dir: Path | str | None, cluster: str, owner: str, topic: str
) -> Stores:
    """Stores of the kind `storage`, `lmdb` or `memory`, for a processor or view of `topic`."""
    if storage == "memory":
        return MemoryDirectory()
    return StateDirectory(state_dir, cluster, owner, topic)


class StateDirectory:
    """The stores of one processor or view, opened when they are asked for.

    Raises UsageError if the folder cannot be written.
    """

    def __init__(self, root: Path | str | None, cluster: str, owner: str, topic: str) -> None:
        # Absolute, for a program may change its folder (`%cd` in a notebook) and open more stores.
        base = default_state_dir() if root is None else Path(os.path.expanduser(root)).absolute()
        self.path, self._lock = _take_slot(base / _name(cluster) / _name(owner) / _name(topic))
        self._cluster = cluster
        self._stores: dict[int, Storage] = {}

    @property
    def holder(self) -> str:
        """The name of the program in this slot: unique, and the same after a restart.

        Machine and place are part of it, since a folder may be copied.
        """
        file = self.path / "holder"
        try:
            if not file.exists() or not file.read_text("ascii"):
                file.write_text(uuid4().hex, "ascii")
            place = hashlib.sha256(os.fsencode(self.path.resolve())).hexdigest()[:8]
            return f"{platform.node()}-{file.read_text('ascii')}-{place}"
        except OSError as exc:
            raise StoreError(f"the folder for local stores cannot be written: {exc}") from exc

    def store(self, partition: int, topic_id: str) -> Storage:
        """The store of `partition`, opened at the first call."""
        if partition not in self._stores:
            identity = f"{self._cluster} {topic_id} {partition}"
            self._stores[partition] = LmdbStorage(self.path / str(partition), identity)
        return self._stores[partition]

    def keep(self, partitions: Collection[int]) -> None:
        """Close the stores of all other partitions: each takes two files."""
        for partition in self._stores.keys() - set(partitions):
            self._stores.pop(partition).close()

    def close(self) -> None:
        """Close the stores and free the slot; repeatable."""
        try:
            with ExitStack() as stack:  # closes every store, even if one fails to close
                while self._stores:
                    stack.callback(self._stores.popitem()[1].close)
        finally:
            self._lock.release()


class MemoryDirectory:
    """Like StateDirectory, but in memory: `close` deletes the stores."""

    def __init__(self) -> None:
        self.holder = uuid4().hex
        self._stores: dict[int, Storage] = {}

    def store(self, partition: int, topic_id: str) -> Storage:
        return self._stores.setdefault(partition, MemoryStorage())

    def keep(self, partitions: Collection[int]) -> None:
        """Do nothing: without these rows, a partition that comes back would be read anew."""

    def close(self) -> None:
        self._stores.clear()


Stores = StateDirectory | MemoryDirectory
"""The stores of one processor or view, by partition."""


def _take_slot(folder: Path) -> tuple[Path, FileLock]:
    for slot in range(_SLOTS):
        path = folder / str(slot)
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path / "owner.lock", thread_local=False)
            lock.acquire(blocking=False)
        except Timeout:
            continue
        except (OSError, ValueError) as exc:  # ValueError: a name with NUL
            if is_out_of_files(exc):
                raise StoreError(f"the local stores cannot be opened: {OUT_OF_FILES}") from exc
            raise UsageError(
                f"the folder for local stores cannot be used: {exc}; {_ADVICE}"
            ) from exc
        return path, lock
    raise UsageError(f"all {_SLOTS} slots below {folder} are taken: stop some programs")


def _name(text: str) -> str:
    """A file name for any text: the text percent-encoded, or its hash if that is too long."""
    name = quote(text, safe="").replace(".", "%2E")
    return name if 0 < len(name) <= 120 else hashlib.sha256(text.encode()).hexdigest()
