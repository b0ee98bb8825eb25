"""The view: the whole table, read from its topic and kept up to date."""

from __future__ import annotations

import heapq
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from clicklib.client.cluster import Brokers, Cluster
from clicklib.client.kafka_clients import OutOfRange, TableReader
from clicklib.client.topics import TopicManager
from clicklib.codec import Codec, decode_key, encode_key
from clicklib.engine.follower import Follower
from clicklib.engine.lifecycle import Service
from clicklib.engine.state import State
from clicklib.errors import TopicError, UnavailableError, UsageError
from clicklib.keys import partition_of
from clicklib.stores.folders import MemoryDirectory, StateDirectory
from clicklib.table import Table, decode_row, progress, telling

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["View", "ViewStats"]

logger = logging.getLogger("clicklib")

_LOOK_PAUSE = 1.0  # seconds without a record before the broker is asked whether it is there


@dataclass(frozen=True)
class ViewStats:
    """What a view has read since it started. Lag is in offsets, over all partitions."""

    state: State
    partitions: int
    records_in: int
    rows: int
    lag: int


class View(Service):
    """A local copy of `table`, all partitions, that follows its topic.

    While it first recovers, reads are refused unless they ask for stale values. Once running, it
    goes on answering while the broker is away (`reconnecting`) and catches up afterwards.

    Rows are kept in `storage`: `lmdb`, in folders below `state_dir` (default: the user's cache
    folder), or `memory`. `on_update(key, value)` is called for each row that is read, with None
    for one that was deleted.

    What may stop it: TopicError when the table is not there, UnavailableError when no broker
    answers at the start, KafkaError when it refuses the login, StoreError for the local copy, and
    DataError of `on_update`: for what it raised, or a row that the codec cannot decode.
    """

    def __init__(
        self,
        brokers: Brokers,
        table: str,
        codec: Codec,
        *,
        storage: Literal["lmdb", "memory"] = "lmdb",
        state_dir: Path | str | None = None,
        connect_timeout: float = 10.0,
        on_update: Callable[[str, Any], None] | None = None,
    ) -> None:
        super().__init__(f"view {table}")
        if storage not in ("lmdb", "memory"):
            raise UsageError(f"storage is 'lmdb' or 'memory', not {storage!r}")
        self.cluster, self.table, self.codec = Cluster.of(brokers), table, codec
        self._storage, self._state_dir = storage, state_dir
        self._connect_timeout = connect_timeout
        self._on_update = on_update
        self._seen_running = False

    def get(self, key: str, *, stale: bool = False) -> Any:
        """The value of `key`, or None. `stale` also answers while the view first recovers."""
        raw, tables = encode_key(key), self._readable(stale)
        partition = partition_of(raw, len(tables))
        data = tables[partition].store.get(raw)
        return None if data is None else self._decode(partition, raw, data)

    def __contains__(self, key: str) -> bool:
        raw, tables = encode_key(key), self._readable(False)
        return tables[partition_of(raw, len(tables))].store.get(raw) is not None

    def __len__(self) -> int:
        return sum(len(table.store) for table in self._readable(False).values())

    def items(self, prefix: str = "", *, stale: bool = False) -> Iterator[tuple[str, Any]]:
        """The keys that begin with `prefix` and their values, sorted by the keys' bytes."""
        raw, tables = encode_key(prefix), self._readable(stale)
        rows = heapq.merge(
            *(
                ((key, data, partition) for key, data in table.store.items(raw))
                for partition, table in tables.items()
            )
        )
        return ((decode_key(key), self._decode(p, key, data)) for key, data, p in rows)

    def to_frame(self, prefix: str = "") -> pd.DataFrame:
        """The table as a DataFrame, the keys as its index.

        A value with fields (a dict, a dataclass, a Struct) becomes a column for each; any other
        stands in the column `value`.
        """
        import msgspec
        import pandas as pd

        keys, rows = [], []
        for key, value in self.items(prefix):
            plain = msgspec.to_builtins(value)
            keys.append(key)
            rows.append(plain if isinstance(plain, dict) else {"value": value})
        return pd.DataFrame(rows, index=pd.Index(keys, name="key", dtype=object))

    def evict(self, key: str) -> None:
        """Forget `key` here; the topic keeps it, and the next update brings it back."""
        raw, tables = encode_key(key), self._readable(False)
        tables[partition_of(raw, len(tables))].store.evict(raw)

    @property
    def recovered(self) -> bool:
        """Whether it has been up to date at least once since it started."""
        return self._seen_running

    @property
    def progress(self) -> tuple[int, int]:
        """Offsets read so far, and offsets to read, of the recovery under way."""
        return progress(self._tables.values())

    def stats(self) -> ViewStats:
        """A snapshot of what it has read."""
        tables = list(self._tables.values())
        return ViewStats(
            state=self.state,
            partitions=len(tables),
            records_in=self._follower.records if self._follower else 0,
            rows=self._rows() if self._seen_running else 0,
            lag=sum(max(0, table.end - table.position) for table in tables),
        )

    def _rows(self) -> int:
        try:
            return len(self)
        except UsageError:  # it starts over at this moment
            return 0

    _follower: Follower | None = None

    @property
    def _tables(self) -> dict[int, Table]:
        return self._follower.tables if self._follower else {}

    def _readable(self, stale: bool) -> dict[int, Table]:
        """The partitions, or UsageError when reads are refused."""
        tables = self._tables
        if not tables or not (self._seen_running or stale):
            if self.error is not None:
                raise UsageError(
                    f"the view of {self.table} has failed: {self.error}"
                ) from self.error
            done, total = progress(tables.values())
            first = "wait_running()" if tables else "start() and wait_running()"
            raise UsageError(
                f"the view of {self.table} is {self.state} ({done} of {total} offsets): call "
                f"{first} first, or read with stale=True"
            )
        return tables

    def _decode(self, partition: int, key: bytes, data: bytes) -> Any:
        return decode_row(self.codec, self.table, partition, key, data)

    def _main(self) -> None:
        self._seen_running = False
        self._stores: StateDirectory | MemoryDirectory = MemoryDirectory()
        with ExitStack() as stack:
            self._reader = self.keep_trying(
                self._connect_timeout,
                lambda: TableReader(self.cluster, self.table, self._connect_timeout),
            )
            stack.callback(self._reader.close)
            stack.callback(self._close)
            self.keep_trying(self._connect_timeout, self._open)
            self._loop()

    def _open(self) -> Follower:
        """Find out what the topic holds, and read on where the local stores end."""
        deadline = time.monotonic() + self._connect_timeout
        with TopicManager(self.cluster, self._connect_timeout) as topics:
            topic, cluster_id = topics.find(self.table), topics.cluster_id
            # Its processor may have been started a moment ago.
            while topic is None and time.monotonic() < deadline and not self._stopping.wait(0.1):
                topic = topics.find(self.table)
        if topic is None:
            raise TopicError(
                "the table is not there: start its processor once, or create it with "
                "TopicManager.ensure_table",
                topic=self.table,
            )
        self._close()
        self._topic_id = topic.id
        if self._storage == "lmdb":
            self._stores = StateDirectory(self._state_dir, cluster_id, "view", self.table)
        follower = Follower(
            self._reader,
            lambda p: self._stores.store(p, f"{cluster_id} {self._topic_id} {p}"),
            telling(self._on_update, self.codec, self.table),
        )
        follower.add(range(topic.partitions))
        self._follower = follower
        self.move(State.RECOVERING)
        return follower

    def _close(self) -> None:
        self._follower = None
        self._stores.close()

    def _loop(self) -> None:
        """What a view does, over and over."""
        looked = time.monotonic()
        while not self._stopping.is_set():
            try:
                follower = self._follower or self._open()
                if follower.poll(0.1):
                    looked = time.monotonic()
                    self._is_there()
                elif time.monotonic() - looked > _LOOK_PAUSE:
                    self._look(follower)
                    looked = time.monotonic()
                if self.state is State.RECOVERING and follower.recovered:
                    self._seen_running = True
                    self.move(State.RUNNING)
            except OutOfRange as exc:
                logger.warning("%s starts over: %s", self.name, exc)
                self._seen_running = False
                self.move(State.RECOVERING)
                self._close()
            except UnavailableError:
                self.move(State.RECONNECTING)
                self._stopping.wait(0.1)

    def _look(self, follower: Follower) -> None:
        """Ask whether the broker is there, and the topic still the same."""
        if self.state is State.RECONNECTING:
            with TopicManager(self.cluster, 2.0) as topics:
                topic = topics.find(self.table)
            if topic is not None and topic.id != self._topic_id:
                raise OutOfRange("the topic was made anew", topic=self.table)
        if not follower.look(timeout=2.0):
            raise OutOfRange("the topic is shorter than it was", topic=self.table)
        self._is_there()

    def _is_there(self) -> None:
        if self.state is State.RECONNECTING:
            self.move(State.RUNNING if self._seen_running else State.RECOVERING)

    def _facts(self) -> dict[str, Any]:
        stats = self.stats()
        return {
            **super()._facts(),
            "partitions": stats.partitions,
            "rows": stats.rows,
            "records in": stats.records_in,
            "lag": stats.lag,
        }
