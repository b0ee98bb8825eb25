"""The processor: a member of a group that keeps the group's table up to date."""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from clicklib.client.cluster import Brokers, Cluster
from clicklib.client.retry import keep_trying
from clicklib.client.topic_reader import TopicReader
from clicklib.client.topics import Topic, TopicManager
from clicklib.engine.follower import Follower
from clicklib.engine.membership import Membership
from clicklib.engine.service import Service
from clicklib.engine.settings import Settings
from clicklib.engine.state import AT_REST, State
from clicklib.engine.worker import Worker
from clicklib.errors import CallbackError, UsageError
from clicklib.given import check, same_definition, unfinished
from clicklib.graph import Graph
from clicklib.keys import encode_key, partition_of
from clicklib.stores.folders import open_stores
from clicklib.table import progress, update_caller

__all__ = ["Processor", "Stats"]


@dataclass(frozen=True)
class Stats:
    """The work of a processor since it started, in numbers.

    Lag is in offsets, by partition, for the partitions that it reads now. It is None while it is
    not known, as for a partition that no broker leads.
    `commits_fail` says why Kafka has taken no commit for half a minute; None if all is well.
    """

    state: State
    partitions: tuple[int, ...] = ()
    records_in: int = 0
    rows_out: int = 0
    flushes: int = 0
    rebalances: int = 0
    lag: dict[int, int | None] = field(default_factory=dict)
    commits_fail: str | None = None


logger = logging.getLogger("clicklib")

_started: weakref.WeakSet[Processor] = weakref.WeakSet()


class Processor(Service):
    """Runs the callbacks of `graph` for its share of the partitions.

    `guarantee` is one of two:
    - `at_least_once`: an offset is committed when all rows of the messages before it are
      acknowledged. After a crash some messages are handled again.
    - `exactly_once`: rows and offsets are committed in one Kafka transaction. Readers of committed
      data see each message counted once, about 0.1 s later than otherwise.

    It is `reconnecting` when Kafka has answered no heartbeat for `session_timeout`: others may have
    its partitions by then. It is so, too, when a partition of its own has no leader: the messages
    of its other ones are handled. It goes on by itself.

    With no committed offset a group starts at the oldest message, or at the newest if `start` says
    so. A processor that is behind sends rows and commits offsets every `commit_interval` seconds;
    one that has caught up does so at once.

    The table's rows are kept in `storage`: `lmdb`, in folders below `state_dir` (else
    CLICKLIB_STATE_DIR, CLICKLIB_HOME or the user's cache folder), or `memory`. `session_timeout`
    (seconds) is how long the group waits for a member without heartbeats.
    `on_rebalance(partitions)` is called after each assignment, and `on_update(key, value)` for each
    row that is recovered (on the processor's thread) or stored (on the thread of its partition),
    with None for a row that was deleted; both should be quick.

    Several processors of a group may run in one program, and share the partitions. `start` logs a
    warning if the callbacks of another one come from other code. Mostly a cell was edited and run
    again, and the earlier processor still runs: `stop_others()` stops it.

    These errors may stop it: DataError for a message, or for a row if there is an `on_update`,
    DeliveryError for a row that Kafka refuses, StoreError for the local copy, TopicError for topics
    that are missing or don't fit together, UnavailableError when no broker answers at the start,
    KafkaError when it refuses the login.
    """

    def __init__(
        self,
        brokers: Brokers,
        graph: Graph,
        *,
        guarantee: Literal["at_least_once", "exactly_once"] = "at_least_once",
        start: Literal["oldest", "newest"] = "oldest",
        commit_interval: float = 5.0,
        storage: Literal["lmdb", "memory"] = "lmdb",
        state_dir: Path | str | None = None,
        session_timeout: float = 10.0,
        max_poll_interval: float = 300.0,
        connect_timeout: float = 10.0,
        on_rebalance: Callable[[tuple[int, ...]], None] | None = None,
        on_update: Callable[[str, Any], None] | None = None,
    ) -> None:
        check(graph=graph, guarantee=guarantee, start=start, storage=storage, state_dir=state_dir)
        check(commit_interval=commit_interval, session_timeout=session_timeout)
        check(max_poll_interval=max_poll_interval, connect_timeout=connect_timeout)
        check(on_rebalance=on_rebalance, on_update=on_update)
        super().__init__(f"processor {graph.group}")
        self.cluster, self.graph = Cluster.of(brokers), graph
        self._exactly_once = guarantee == "exactly_once"
        self._storage, self._state_dir = storage, state_dir
        self._on_rebalance = on_rebalance
        self._settings = Settings(
            cluster=self.cluster,
            graph=graph,
            start=start,
            commit_interval=commit_interval,
            session_timeout=session_timeout,
            max_poll_interval=max_poll_interval,
            connect_timeout=connect_timeout,
            on_rebalance=None if on_rebalance is None else self._rebalanced,
            updated=update_caller(on_update, graph.persist.codec, graph.table),
        )
        self._lingering: list[Worker] = []
        self._membership: Membership | None = None
        self._table_partitions = 1  # how many; known once it runs

    @property
    def partitions(self) -> tuple[int, ...]:
        """The partitions that this processor owns now, sorted."""
        membership = self._membership  # read once: a new start sets it to None
        return membership.handover.owned if membership else ()

    @property
    def recovered(self) -> bool:
        """Whether the table of each of its partitions is up to date."""
        return self.state is State.RUNNING

    def stats(self) -> Stats:
        """A snapshot of its work so far."""
        membership = self._membership
        if membership is None:
            return Stats(self.state)
        owned = membership.handover.owned
        return Stats(
            state=self.state,
            partitions=owned,
            records_in=membership.handover.handled,
            rows_out=membership.rows,
            flushes=membership.flushes,
            rebalances=membership.rebalances,
            lag={place: lag for place, lag in membership.lag.items() if place in owned},
            commits_fail=membership.commits_fail,
        )

    @property
    def progress(self) -> tuple[int, int]:
        """Offsets read so far, and offsets to read, of the recovery under way."""
        membership = self._membership
        return progress(membership.handover.follower.tables.values()) if membership else (0, 0)

    def get(self, key: str) -> Any:
        """The value of `key` as the callback would see it now, or None.

        Raises UsageError for a key whose partition this processor doesn't own or is still
        recovering: a View answers for all of them.
        """
        raw = encode_key(key, self.graph.table)
        self._life.check_process()
        name, membership = self._life.name, self._membership
        if membership is None:
            raise UsageError(f"{name} is {self.state}: start it first", key=key)
        workers = membership.handover.workers
        partition = partition_of(raw, self._table_partitions)
        worker = workers.get(partition)
        if worker is None:
            raise UsageError(
                f"{name} is {self.state} and serves the partitions {sorted(workers)}; "
                "a View shows all",
                partition=partition,
                key=key,
            )
        return worker.task.get(key)

    def start(self) -> Self:
        """Begin in the background and return at once.

        Raises UsageError when it is running already.
        """
        if any(_is_edited(other.graph, self.graph) for other in self._others()):
            logger.warning(
                "group %s: a processor with other callbacks, perhaps of an earlier run of this "
                "cell, still runs in this program and handles its share of the messages. "
                "Call stop_others() on the new processor to stop it",
                self.graph.group,
            )
        _started.add(self)
        return super().start()

    def stop_others(self, timeout: float = 10.0) -> bool:
        """Stop the other processors of this group in this program; returns whether all have ended.

        Waits at most `timeout` seconds.
        """
        check(timeout__wait=timeout)
        deadline = time.monotonic() + timeout
        ended = [other.stop(max(0.0, deadline - time.monotonic())) for other in self._others()]
        return all(ended)

    def _others(self) -> list[Processor]:
        group, addresses = self.graph.group, set(self.cluster.addresses)
        return [
            other
            for other in list(_started)
            if other is not self and other.graph.group == group and other.state not in AT_REST
            if addresses & set(other.cluster.addresses)
        ]

    def stop(self, timeout: float = 10.0) -> bool:
        """End cleanly: finish the current messages, flush, commit, free everything.

        Waits at most `timeout` seconds, and returns whether all threads have ended. A thread cannot
        end while its callback does not return; the message of that callback stays uncommitted.
        Called on one of its own threads, it only asks for the end and returns False at once.
        """
        return super().stop(timeout) and not any(w.is_alive() for w in self._lingering)

    def _main(self) -> None:
        self._membership = None
        life, settings = self._life, self._settings
        timeout, name = settings.connect_timeout, self.graph.table
        cluster_id, table = keep_trying(self._find_table, timeout)
        self._table_partitions = table.partitions
        if life.stopping:
            return
        with ExitStack() as stack:
            stores = open_stores(self._storage, self._state_dir, cluster_id, self.graph.group, name)
            stack.callback(stores.close)
            reader = keep_trying(lambda: TopicReader(self.cluster, name, timeout), timeout)
            stack.callback(reader.close)
            self._membership = Membership(
                life,
                settings,
                Follower(
                    reader, lambda p: stores.store(p, table.id), settings.updated, stores.keep
                ),
                self._lingering,
                table.partitions,
                # The id belongs to the stores. So the next processor that uses them ends a
                # transaction that was left open.
                f"{self.graph.group}-{stores.holder}" if self._exactly_once else None,
            )
            self._membership.run()

    def _find_table(self) -> tuple[str, Topic]:
        """The cluster's id, and the topic of the table, which is created if it is missing."""
        with TopicManager(self.cluster, self._settings.connect_timeout) as topics:
            table = topics.ensure_copartitioned(self.graph.topics, self.graph.table)
            return topics.cluster_id, table

    def _rebalanced(self, partitions: tuple[int, ...]) -> None:
        assert self._on_rebalance is not None
        try:
            returned = self._on_rebalance(partitions)
        except BaseException as exc:
            raise CallbackError(f"on_rebalance raised {exc!r} for {partitions}") from exc
        if error := unfinished(returned, "on_rebalance"):
            raise error

    def _facts(self) -> dict[str, Any]:
        stats = self.stats()
        lags = list(stats.lag.values())
        return {
            **super()._facts(),
            "partitions": ", ".join(map(str, stats.partitions)) or "none",
            "records in": stats.records_in,
            "rows out": stats.rows_out,
            "lag": sum(filter(None, lags)) if lags and None not in lags else "unknown",
            "commits fail": stats.commits_fail,
        }


def _is_edited(one: Graph, other: Graph) -> bool:
    """Whether the callbacks of the two graphs come from different definitions."""
    if one.topics != other.topics:
        return True
    pairs = zip(one.inputs, other.inputs, strict=True)
    return not all(same_definition(a.callback, b.callback) for a, b in pairs)
