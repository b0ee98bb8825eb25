"""The local copy of one partition of a table: its rows, and its position in the topic.

A store is a cache of Kafka. One transaction changes both rows and position. A store that is
damaged, or of another topic, cluster or version, is never repaired: it is deleted and rebuilt.
"""

from __future__ import annotations

import hashlib
import heapq
import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import lmdb
import msgspec
import psutil

from clicklib.errors import OUT_OF_FILES, StoreError, UsageError, is_out_of_files
from clicklib.table import Rows, Snapshot

__all__ = ["LmdbStorage"]

logger = logging.getLogger("clicklib")

T = TypeVar("T")

_FORMAT = "clicklib store 1"
_FIRST_MAP = 1 << 20  # bytes; doubled whenever the map is full
_CHUNK = 1_000  # rows read under one lock
_DAMAGED = "damaged"  # this file in the folder marks a damaged store
_UNCLOSED = "unclosed"  # this file has a byte for each program that did not close the store
_UNCLOSED_LIMIT = 3  # after so many of these programs the cause may be damaged pages, not kills
_LONGEST = 511  # bytes, LMDB's limit for a key


class LmdbStorage:
    """A store in a folder, in LMDB: read through memory maps, kept across restarts.

    `identity` names the exact topic and partition; a store with another identity is deleted. LMDB
    takes keys of 1 to 511 bytes. Rows with other keys are in a second database, by the hash of
    their key.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path, self._identity = path, f"{_FORMAT} {identity}".encode()
        self._lock = threading.Lock()
        self._closed = False
        try:
            self._open()
        except (_Unfit, StoreError, lmdb.Error, OSError, ValueError) as exc:
            if is_out_of_files(exc):
                raise self._not_made(OUT_OF_FILES) from exc
            reason = exc if isinstance(exc, _Unfit) else f"it is damaged ({exc})"
            logger.warning("local store %s: %s; dropped, to be rebuilt from Kafka", path, reason)
            shutil.rmtree(path, ignore_errors=True)
            try:
                self._open()
            except (lmdb.Error, OSError) as again:
                raise self._not_made(again) from again

    def _open(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / _UNCLOSED).open("ab") as mark:
            if mark.tell() >= _UNCLOSED_LIMIT:
                raise _Unfit(
                    f"the last {_UNCLOSED_LIMIT} programs ended with it open, perhaps because of it"
                )
            mark.write(b".")
        # sync=False: if the process crashes, the operating system still writes the pages. If the
        # machine crashes, `_check_fit` notices it.
        # lock=False: without LMDB's own lock file, a third of the files. The folder's lock keeps
        # other programs out, `_lock` other threads, and a snapshot is released before a write.
        self._env = lmdb.open(
            str(self.path), map_size=_FIRST_MAP, max_dbs=3, sync=False, lock=False
        )
        try:
            self._check_length()
            self._meta = self._env.open_db(b"meta")
            self._main = self._env.open_db(b"rows")
            self._odd = self._env.open_db(b"odd rows")
            with self._env.begin() as txn:
                position = txn.get(b"position", db=self._meta)
                self.position = None if position is None else int(position)
            self._check_fit()
            self._change(self._mark)
        except BaseException:
            self._env.close()
            raise

    def _not_made(self, exc: object) -> StoreError:
        return StoreError(f"the local store {self.path} cannot be made: {exc}")

    def _check_length(self) -> None:
        """Refuse a truncated file: a read beyond its end would end the process (SIGBUS)."""
        needed = (self._env.info()["last_pgno"] + 1) * self._env.stat()["psize"]
        if (self.path / "data.mdb").stat().st_size < needed:
            raise _Unfit("it is damaged (its file was cut off)")

    def _check_fit(self) -> None:
        if (self.path / _DAMAGED).exists():
            raise _Unfit("it was found damaged")
        with self._env.begin(db=self._meta) as txn:
            identity, boot = txn.get(b"identity"), txn.get(b"open since boot")
        if identity != self._identity and (identity or self.position is not None):
            raise _Unfit("it belongs to another topic, cluster or version")
        if boot is not None and abs(int(boot) - _boot_minute()) > 1:
            raise _Unfit("the machine went down while it was open")

    def _mark(self, txn: Any) -> None:
        txn.put(b"identity", self._identity, db=self._meta)
        txn.put(b"open since boot", b"%d" % _boot_minute(), db=self._meta)

    def _change(self, change: Callable[[Any], object]) -> None:
        """Run `change` in one transaction; if the map is full, double it and run `change` again."""
        while True:
            try:
                with self._env.begin(write=True) as txn:
                    change(txn)
                return
            except lmdb.MapFullError:
                self._env.set_mapsize(self._env.info()["map_size"] * 2)
            except lmdb.Error as exc:
                raise self._broken(exc) from exc

    def _broken(self, exc: lmdb.Error) -> Exception:
        """The error to raise for damage. It is also noted, so the next start deletes the store."""
        if self._closed:
            return UsageError(f"the local store {self.path} is closed")
        with suppress(OSError):
            (self.path / _DAMAGED).touch()
        return StoreError(
            f"the local store {self.path} broke: {exc}; the next start rebuilds it from Kafka, if "
            "there is room on its disk"
        )

    def get(self, key: bytes, /) -> bytes | None:
        return self._read(lambda txn: self._get(txn, key))

    def _read(self, read: Callable[[Any], T]) -> T:
        """Return what `read` returns, which is called with a transaction for reading."""
        with self._lock:
            try:
                with self._env.begin() as txn:
                    return read(txn)
            except lmdb.Error as exc:
                raise self._broken(exc) from exc

    def _get(self, txn: Any, key: bytes) -> bytes | None:
        if 0 < len(key) <= _LONGEST:
            return txn.get(key, db=self._main)
        row = txn.get(_hash(key), db=self._odd)
        return None if row is None else msgspec.msgpack.decode(row)[1]

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        odd = self._read(
            lambda txn: [msgspec.msgpack.decode(row) for _, row in txn.cursor(self._odd)]
        )
        rest = sorted((key, data) for key, data in odd if key.startswith(prefix))
        return heapq.merge(self._main_items(prefix), rest)

    def _main_items(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The rows of the main database, in chunks: an open read keeps the map from growing."""
        last: bytes | None = None
        while True:
            chunk = self._read(partial(self._chunk, prefix, last))
            yield from chunk
            if len(chunk) < _CHUNK:
                return
            last = chunk[-1][0]

    def _chunk(self, prefix: bytes, last: bytes | None, txn: Any) -> list[tuple[bytes, bytes]]:
        """The next rows after the key `last`."""
        chunk: list[tuple[bytes, bytes]] = []
        with txn.cursor(self._main) as cursor:
            begin = prefix[:_LONGEST] if last is None else last
            found = cursor.set_range(begin) if begin else cursor.first()
            if found and last is not None and cursor.key() == last:
                found = cursor.next()
            while found and len(chunk) < _CHUNK and cursor.key().startswith(prefix):
                chunk.append(cursor.item())
                found = cursor.next()
        return chunk

    def __len__(self) -> int:
        return self._read(
            lambda txn: sum(txn.stat(rows)["entries"] for rows in (self._main, self._odd))
        )

    def snapshot(self) -> Snapshot:
        return _LmdbSnapshot(self)

    def write(self, rows: Rows, position: int) -> None:
        def change(txn: Any) -> None:
            for key, data in rows.items():
                self._put(txn, key, data)
            txn.put(b"position", b"%d" % position, db=self._meta)

        with self._lock:
            self._change(change)
        self.position = position

    def _put(self, txn: Any, key: bytes, data: bytes | None) -> None:
        database = self._main
        if not 0 < len(key) <= _LONGEST:
            database = self._odd
            if data is not None:
                data = msgspec.msgpack.encode((key, data))
            key = _hash(key)
        if data is None:
            txn.delete(key, db=database)
        else:
            txn.put(key, data, db=database)

    def evict(self, key: bytes) -> None:
        with self._lock:
            self._change(lambda txn: self._put(txn, key, None))

    def clear(self) -> None:
        def change(txn: Any) -> None:
            txn.drop(self._main, delete=False)
            txn.drop(self._odd, delete=False)
            txn.delete(b"position", db=self._meta)

        with self._lock:
            self._change(change)
            self.position = None

    def close(self) -> None:
        """Sync to the disk and close; a second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                # The rows first: a store that is marked as closed must have them on the disk.
                self._env.sync(True)
                self._change(lambda txn: txn.delete(b"open since boot", db=self._meta))
                self._env.sync(True)
                (self.path / _UNCLOSED).unlink(missing_ok=True)
            finally:
                self._env.close()


class _Unfit(Exception):
    """A store cannot be used; the text is the reason."""


class _LmdbSnapshot:
    """One read transaction, opened at the first read."""

    def __init__(self, store: LmdbStorage) -> None:
        self._store = store
        self._txn: Any = None

    def get(self, key: bytes, /) -> bytes | None:
        try:
            if self._txn is None:
                self._txn = self._store._env.begin()
            return self._store._get(self._txn, key)
        except lmdb.Error as exc:
            raise self._store._broken(exc) from exc

    def release(self) -> None:
        if self._txn is not None:
            self._txn.abort()
            self._txn = None


def _hash(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _boot_minute() -> int:
    return round(psutil.boot_time() / 60)
