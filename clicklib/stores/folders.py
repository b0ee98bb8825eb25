"""The folders of local stores: one owner a folder, no two topics in one.

    <state dir>/<cluster id>/<owner>/<topic>/<slot>/<partition>/

A slot is taken by a file lock, which the system frees however its holder ends. The first program
of an owner gets slot 0 and finds it again, warm, after a restart; a second one beside it gets
slot 1.
"""

from __future__ import annotations

import hashlib
import platform
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import platformdirs
from filelock import FileLock, Timeout

from clicklib.errors import StoreError, UsageError
from clicklib.stores.storage import LmdbStorage, MemoryStorage, Storage

__all__ = ["MemoryDirectory", "StateDirectory", "default_state_dir"]

_SLOTS = 1_000


def default_state_dir() -> Path:
    """Where stores are kept unless a program names another place: the user's cache folder."""
    return Path(platformdirs.user_cache_dir("clicklib"))


class StateDirectory:
    """The stores of one processor or view, opened once each and kept open until `close`.

    Raises UsageError where the folder cannot be written.
    """

    def __init__(self, root: Path | str | None, cluster: str, owner: str, topic: str) -> None:
        base = Path(root) if root is not None else default_state_dir()
        self.path, self._lock = _take_slot(base / _name(cluster) / _name(owner) / _name(topic))
        self._stores: dict[int, Storage] = {}

    @property
    def holder(self) -> str:
        """A name that no other holder of stores has, and that the next one of this slot inherits.

        The machine is part of it, since folders get copied.
        """
        file = self.path / "holder"
        try:
            if not file.exists() or not file.read_text("ascii"):
                file.write_text(uuid4().hex, "ascii")
            return f"{platform.node()}-{file.read_text('ascii')}"
        except OSError as exc:
            raise StoreError(f"the folder for local stores cannot be written: {exc}") from exc

    def store(self, partition: int, identity: str) -> Storage:
        """The store of `partition`, opened at the first call."""
        if partition not in self._stores:
            self._stores[partition] = LmdbStorage(self.path / str(partition), identity)
        return self._stores[partition]

    def close(self) -> None:
        """Close the stores and free the slot; repeatable."""
        try:
            with ExitStack() as stack:  # closes all, even if one fails
                while self._stores:
                    stack.callback(self._stores.popitem()[1].close)
        finally:
            self._lock.release()


class MemoryDirectory:
    """The same over memory: nothing outlives `close`."""

    def __init__(self) -> None:
        self.holder = uuid4().hex
        self._stores: dict[int, Storage] = {}

    def store(self, partition: int, identity: str) -> Storage:
        return self._stores.setdefault(partition, MemoryStorage())

    def close(self) -> None:
        self._stores.clear()


def _take_slot(folder: Path) -> tuple[Path, FileLock]:
    for slot in range(_SLOTS):
        path = folder / str(slot)
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path / "owner.lock", thread_local=False)
            lock.acquire(blocking=False)
        except Timeout:
            continue
        except OSError as exc:
            raise UsageError(
                f"the folder for local stores cannot be used: {exc}; name another one by state_dir"
            ) from exc
        return path, lock
    raise UsageError(f"all {_SLOTS} slots below {folder} are taken: stop some programs")


def _name(text: str) -> str:
    """A file name for any text: percent-encoded, and long ones by their hash."""
    name = quote(text, safe="").replace(".", "%2E")
    return name if 0 < len(name) <= 120 else hashlib.sha256(text.encode()).hexdigest()
