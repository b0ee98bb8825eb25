"""The view: the whole table, read from its topic and kept up to date.

Its loop (`engine/replica.py`) decides whether it is stale, and sets its `state`: only a `running`
view is up to date. Without `stale=True`, `View._readable` refuses reads before the first recovery
has ended, and while a topic that was truncated or made anew is read. After the view's end it
refuses all reads.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from clicklib.client.cluster import Brokers, Cluster
from clicklib.codec import Codec, fields_of
from clicklib.engine.replica import Replica
from clicklib.engine.service import Service
from clicklib.engine.state import AT_REST, State
from clicklib.errors import UsageError, needing
from clicklib.given import check
from clicklib.keys import decode_key, encode_key, partition_of
from clicklib.stores.folders import open_stores
from clicklib.table import Table, decode_row, progress, update_caller

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["View", "ViewStats"]


@dataclass(frozen=True)
class ViewStats:
    """The work of a view since it started, in numbers.

    Lag is in offsets, over all partitions. It is None while it is not known, as when no broker
    leads one of them.
    """

    state: State
    partitions: int
    records_in: int
    rows: int
    lag: int | None


class View(Service):
    """A local copy of all partitions of `table`, which follows the table's topic.

    Its `state` says whether it is up to date. During the first recovery (`recovering`) reads are
    refused unless they ask for stale values. After it the view answers also while the broker cannot
    be reached (`reconnecting`), with what it has, and catches up later.

    Rows are kept in `storage`: `lmdb`, in folders below `state_dir` (else CLICKLIB_STATE_DIR,
    CLICKLIB_HOME or the user's cache folder), or `memory`. `on_update(key, value)` is
    called for each row that is read, with None for one that was deleted.

    These errors may stop it: TopicError when the table is not there, UnavailableError when no
    broker answers at the start, KafkaError when a broker refuses the login, StoreError for the
    local copy, and, if there is an `on_update`, DataError for an error that it raised or for a
    row that the codec cannot decode.
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
        check(table=table, codec=codec, storage=storage, state_dir=state_dir)
        check(connect_timeout=connect_timeout, on_update=on_update)
        super().__init__(f"view {table}")
        self.cluster, self.table, self.codec = Cluster.of(brokers), table, codec
        self._storage, self._state_dir = storage, state_dir
        self._connect_timeout = connect_timeout
        self._updated = update_caller(on_update, codec, table)
        self._replica: Replica | None = None

    def get(self, key: str, *, stale: bool = False) -> Any:
        """The value of `key`, or None. With `stale` it answers also during the first recovery."""
        raw, tables = encode_key(key, self.table), self._readable(stale)
        partition = partition_of(raw, len(tables))
        data = tables[partition].store.get(raw)
        return None if data is None else self._decode(partition, raw, data)

    def __contains__(self, key: str) -> bool:
        raw, tables = encode_key(key, self.table), self._readable(False)
        return tables[partition_of(raw, len(tables))].store.get(raw) is not None

    def __len__(self) -> int:
        return sum(len(table.store) for table in self._readable(False).values())

    def items(self, prefix: str = "", *, stale: bool = False) -> Iterator[tuple[str, Any]]:
        """The keys that begin with `prefix` and their values, sorted by the keys' bytes."""
        check(prefix=prefix)
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

        Each field of a value (a dict, a dataclass, a Struct) becomes a column; a value without
        fields is in the column `value`. Fields are what the codec decoded: a Decimal is a Decimal.
        A column gets a dtype of pandas if that changes no value. None and gaps count as missing.
        """
        with needing("View.to_frame"):
            import pandas as pd

        keys, rows = [], []
        for key, value in self.items(prefix):
            fields = fields_of(value)
            keys.append(key)
            rows.append({"value": value} if fields is None else fields)
        index = pd.Index(keys, name="key", dtype=object)
        names = list(dict.fromkeys(name for row in rows for name in row))
        columns = [_column([row.get(name, nan) for row in rows], index) for name in names]
        texts = all(isinstance(name, str) for name in names)
        # The names come afterwards: pandas makes a MultiIndex of names that are tuples.
        frame = pd.DataFrame(dict(enumerate(columns)), index=index)
        frame.columns = pd.Index(names, dtype=None if texts else object)
        return frame

    def evict(self, key: str) -> None:
        """Forget `key` here; the topic keeps it, and the next update brings it back."""
        raw, tables = encode_key(key, self.table), self._readable(False)
        tables[partition_of(raw, len(tables))].store.evict(raw)

    @property
    def recovered(self) -> bool:
        """Whether it has been up to date at least once since it opened its stores."""
        replica = self._replica
        return replica is not None and replica.recovered

    @property
    def progress(self) -> tuple[int, int]:
        """Offsets read so far, and offsets to read, of the recovery under way."""
        return progress(self._tables.values())

    @property
    def positions(self) -> dict[int, int]:
        """For each partition of the table the offset up to which it has been read."""
        return {partition: table.position for partition, table in dict(self._tables).items()}

    def stats(self) -> ViewStats:
        """A snapshot of its work so far."""
        tables = list(self._tables.values())
        cut_off = self._replica is not None and self._replica.is_cut_off
        return ViewStats(
            state=self.state,
            partitions=len(tables),
            records_in=self._replica.records if self._replica else 0,
            rows=self._rows() if self.recovered else 0,
            lag=None if cut_off else sum(max(0, table.end - table.position) for table in tables),
        )

    def _rows(self) -> int:
        try:
            return len(self)
        except UsageError:  # it starts over at this moment
            return 0

    @property
    def _tables(self) -> dict[int, Table]:
        return self._replica.tables if self._replica else {}

    def _readable(self, stale: bool) -> dict[int, Table]:
        """The table of each partition. Raises UsageError when reads are refused."""
        if stale is not False:
            check(stale=stale)
        tables = self._tables
        if tables:
            self._life.check_process()
        if not tables or not (self.recovered or stale):
            if self.error is not None:
                raise UsageError(
                    f"the view of {self.table} has failed: {self.error}"
                ) from self.error
            done, total = progress(tables.values())
            first = "start() and " if self.state in (*AT_REST, State.STOPPING) else ""
            other = ", or read with stale=True" if tables else ""  # else it has no rows at all
            raise UsageError(
                f"the view of {self.table} is {self.state} ({done} of {total} offsets): call "
                f"{first}wait_running() first{other}"
            )
        return tables

    def _decode(self, partition: int, key: bytes, data: bytes) -> Any:
        return decode_row(self.codec, self.table, partition, key, data)

    def _prepare(self) -> Callable[[], None]:
        storage, folder, table = self._storage, self._state_dir, self.table
        self._replica = Replica(
            self._life,
            self.cluster,
            table,
            lambda cluster: open_stores(storage, folder, cluster, "view", table),
            self._updated,
            self._connect_timeout,
        )
        return self._replica.run

    def _facts(self) -> dict[str, Any]:
        stats = self.stats()
        return {
            **super()._facts(),
            "partitions": stats.partitions,
            "rows": stats.rows,
            "records in": stats.records_in,
            "lag": "unknown" if stats.lag is None else stats.lag,
        }


def _column(cells: list[Any], index: pd.Index) -> pd.Series:
    """The cells with the type that pandas finds for them, if that keeps them as they are."""
    import pandas as pd

    exact = pd.Series(cells, index, dtype=object)
    found = exact.infer_objects()
    if found.dtype == object:
        return exact
    kept = (
        cell == each or cell is None or cell != cell
        for cell, each in zip(cells, found, strict=True)
    )
    return found if all(kept) else exact
