"""The loop of a view: it reads all partitions of a table into local stores, and goes on reading."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack

from clicklib.client.cluster import Cluster
from clicklib.client.faults import OutOfRange
from clicklib.client.retry import Patience, keep_trying
from clicklib.client.topic_reader import TopicReader
from clicklib.client.topics import Topic, TopicManager
from clicklib.client.unchanged import Unchanged
from clicklib.engine.follower import Follower
from clicklib.engine.lifecycle import Lifecycle
from clicklib.engine.state import State
from clicklib.errors import TopicError, UnavailableError
from clicklib.stores.folders import Stores
from clicklib.table import Table, Updated

__all__ = ["Replica"]

logger = logging.getLogger("clicklib")

_LOOK_PAUSE = 1.0  # seconds without a record, after which the broker is checked


class Replica:
    """A local copy of a table. `run` is for one thread; any thread may look at the rest.

    `open_stores(cluster_id)` opens the stores of its partitions, and the replica closes them. It
    opens them again if the topic was truncated or made anew. While the broker cannot be reached,
    the replica keeps its rows and tries again.

    It sets the state of its view: `recovering` until all partitions have reached their ends,
    `running` then, `reconnecting` from an error until the broker answers again.
    """

    def __init__(
        self,
        life: Lifecycle,
        cluster: Cluster,
        table: str,
        open_stores: Callable[[str], Stores],
        updated: Updated | None,
        connect_timeout: float,
    ) -> None:
        self.recovered = False  # whether it was up to date at least once since `_open`
        self._life, self._cluster, self._table = life, cluster, table
        self._open_stores, self._updated = open_stores, updated
        self._connect_timeout = connect_timeout
        self._patience = Patience(connect_timeout)
        self._follower: Follower | None = None
        self._topic: Topic | None = None
        self._unchanged: Unchanged | None = None
        self._closing = ExitStack()

    @property
    def tables(self) -> dict[int, Table]:
        """The table of each partition; empty while the stores are opened."""
        follower = self._follower  # once: another thread may close it
        return follower.tables if follower else {}

    @property
    def records(self) -> int:
        """How many records it has read since its stores were opened."""
        follower = self._follower
        return follower.records if follower else 0

    @property
    def is_cut_off(self) -> bool:
        """Whether records may come to the table's topic without reaching this replica."""
        reconnecting = self._life.state is State.RECONNECTING
        return reconnecting or (self._follower is not None and self._reader.is_cut_off)

    def run(self) -> None:
        """Read until `life.stopping` is true."""
        with ExitStack() as stack:
            self._reader = keep_trying(
                lambda: TopicReader(self._cluster, self._table, self._connect_timeout),
                self._connect_timeout,
            )
            stack.callback(self._reader.close)
            stack.callback(self._close)
            keep_trying(self._open, self._connect_timeout)
            self._loop()

    def _loop(self) -> None:
        """Read on and check the broker, again and again."""
        looked = time.monotonic()
        while not self._life.stopping:
            try:
                follower = self._follower or self._open()
                if self._unchanged and self._unchanged.error:
                    raise OutOfRange(str(self._unchanged.error))
                if follower.poll(0.1):
                    looked = time.monotonic()
                    self._is_there()
                elif time.monotonic() - looked > _LOOK_PAUSE:
                    self._look(follower)
                    looked = time.monotonic()
                if self._life.state is State.RECOVERING and follower.recovered:
                    self.recovered = True
                    self._life.move(State.RUNNING)
            except OutOfRange as exc:
                logger.warning("%s starts over: %s", self._life.name, exc)
                self.recovered = False
                self._life.move(State.RECOVERING)
                self._close()
            except UnavailableError:
                self._life.move(State.RECONNECTING)
                self._patience.grow()
                self._life.wait_stopping(0.1)

    def _open(self) -> Follower:
        """Find the topic, open the stores, and read on from where they end."""
        with TopicManager(self._cluster, self._connect_timeout) as topics:
            # A processor that has just started may still have to create it.
            topic = keep_trying(
                lambda: self._find(topics),
                self._connect_timeout,
                passes=lambda error: isinstance(error, TopicError),
            )
            cluster_id = topics.cluster_id
        self._close()
        before, self._topic = self._topic, topic
        if before and before.id == topic.id and before.partitions != topic.partitions:
            raise TopicError(
                f"the table has {topic.partitions} partitions now, and had {before.partitions} "
                "when this began: start this again",
                topic=self._table,
            )
        self._unchanged = self._reader.watch(topic.partitions)
        stores = self._open_stores(cluster_id)
        self._closing.callback(stores.close)
        follower = Follower(self._reader, lambda p: stores.store(p, topic.id), self._updated)
        follower.add(range(topic.partitions))
        self._follower = follower
        self._life.move(State.RECOVERING)
        return follower

    def _find(self, topics: TopicManager) -> Topic:
        topic = topics.find(self._table)
        if topic is None:
            raise TopicError(
                "the table is not there: start its processor once, or create it with "
                "TopicManager.ensure_table",
                topic=self._table,
            )
        return topic

    def _close(self) -> None:
        self._follower = None
        self._closing.close()

    def _look(self, follower: Follower) -> None:
        """Check that the broker answers, and that the topic is still the same."""
        if self._life.state is State.RECONNECTING:
            with TopicManager(self._cluster, self._patience.seconds) as topics:
                topic = topics.find(self._table)
            if topic and self._topic and topic.id != self._topic.id:
                raise OutOfRange("the topic was made anew", topic=self._table)
        if not follower.look(self._patience.seconds):
            raise OutOfRange("the topic is shorter than it was", topic=self._table)
        self._is_there()

    def _is_there(self) -> None:
        self._patience.reset()
        if self._life.state is State.RECONNECTING:
            self._life.move(State.RUNNING if self.recovered else State.RECOVERING)
