"""Creates topics, and compares existing topics with what is wanted."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from clicklib.client.admin import Admin
from clicklib.client.closing import Holding
from clicklib.client.cluster import Brokers, Cluster
from clicklib.client.layout import Copies, copies_of
from clicklib.client.limit import within
from clicklib.client.retry import aside
from clicklib.errors import KafkaError, TopicError
from clicklib.given import check, listed

__all__ = ["Topic", "TopicManager"]

logger = logging.getLogger("clicklib")

Mismatch = Literal["ignore", "warn", "fail"]


@dataclass(frozen=True)
class Topic:
    """A topic as the cluster has it."""

    name: str
    id: str
    partitions: int
    replication: int


class TopicManager(Holding[Admin]):
    """Creates streams and tables, and checks those that exist.

    Several processes may use it at once: the second one finds the topic that the first one made. A
    topic that differs from what is wanted is not changed; `mismatch` says whether the difference is
    ignored, logged as a warning, or raised as TopicError (`fail`).

    Each call raises UnavailableError when it has no answer after `timeout` seconds; one that
    creates a topic may take 30 s more, until every broker knows the topic. The first one raises
    KafkaError when the broker refuses the login.
    """

    def __init__(self, brokers: Brokers, timeout: float = 10.0) -> None:
        check(timeout=timeout)
        self.cluster = Cluster.of(brokers)
        self._timeout = timeout
        super().__init__(Admin(self.cluster, timeout))

    def ensure_stream(
        self,
        topic: str,
        partitions: int = 10,
        *,
        replication: int | None = None,
        configs: Mapping[str, str] | None = None,
        mismatch: Mismatch = "fail",
    ) -> Topic:
        """A topic that deletes old messages. `replication` None is the broker's default."""
        return self._ensure("delete", topic, partitions, replication, configs, mismatch)

    def ensure_table(
        self,
        topic: str,
        partitions: int = 10,
        *,
        replication: int | None = None,
        configs: Mapping[str, str] | None = None,
        mismatch: Mismatch = "fail",
    ) -> Topic:
        """A topic that keeps the last value of each key: `cleanup.policy=compact`."""
        return self._ensure("compact", topic, partitions, replication, configs, mismatch)

    def ensure_copartitioned(self, inputs: Sequence[str], table: str) -> Topic:
        """The topic of a group's table; if missing, created with as many partitions as the inputs.

        Raises TopicError when an input is missing or the partition counts differ. This is Goka's
        rule: a key's messages and its value must be in partitions with the same number.
        """
        inputs = listed(inputs)
        check(inputs=inputs, table=table)
        policy = aside(lambda: self._policy(table))  # for the sake of slow links
        there = self._client.topics([*inputs, table])
        missing = [name for name in inputs if name not in there]
        if missing:
            raise TopicError(
                "the input is not there: create it with TopicManager.ensure_stream",
                topic=missing[0],
            )
        counts = {name: len(there[name]["partitions"]) for name in inputs}
        if table in there:
            found = _topic(there[table])
            if "compact" not in policy.result():
                logger.warning(
                    "Kafka will delete old rows of this table: its cleanup.policy is %s. Set it to "
                    "compact, or delete the topic to have it made anew (topic %s)",
                    policy.result(),
                    table,
                )
        else:
            configs = {"cleanup.policy": "compact"}
            found = _topic(self._client.create(table, counts[inputs[0]], -1, configs))
        counts[table] = found.partitions
        if len(set(counts.values())) > 1:
            numbers = ", ".join(f"{name} has {count}" for name, count in counts.items())
            raise TopicError(
                f"the inputs and the table of a group need the same number of partitions: {numbers}"
            )
        return found

    def _policy(self, table: str) -> str:
        """The `cleanup.policy` of a table; that of all tables where the broker does not tell it."""
        try:
            return self._client.configs(table, patience=0)["cleanup.policy"]
        except (KafkaError, KeyError):
            return "compact"

    def find(self, topic: str) -> Topic | None:
        """The topic as the cluster has it, or None."""
        check(topic=topic)
        found = self._client.topics([topic]).get(topic)
        return None if found is None else _topic(found)

    def copies(self, topic: str) -> dict[int, Copies]:
        """The copies of each partition of `topic`; empty if the topic does not exist."""
        check(topic=topic)
        return copies_of(self._client.topics([topic]).get(topic, {"partitions": ()})["partitions"])

    def names(self) -> list[str]:
        """The names of all topics, without those that Kafka keeps for itself."""
        return self._client.names()

    def delete(self, topics: Iterable[str]) -> None:
        """Delete topics with all their messages. A topic that is not there is passed over."""
        topics = listed(topics)
        check(topics=topics)
        self._client.delete(topics)

    @property
    def cluster_id(self) -> str:
        """The id of the cluster: a new cluster at the same address has another one."""
        return self._client.cluster_id()

    def _ensure(
        self,
        policy: str,
        name: str,
        partitions: int,
        replication: int | None,
        configs: Mapping[str, str] | None,
        mismatch: Mismatch,
    ) -> Topic:
        check(topic=name)
        check({"topic": name}, partitions=partitions, replication=replication)
        check({"topic": name}, configs=configs, mismatch=mismatch)
        configs = {"cleanup.policy": policy, **(configs or {})}
        wanted = {"partitions": partitions, "replication": replication, **configs}
        with within(self._timeout):
            topic = self.find(name)
            if topic is not None:
                self._compare(topic, wanted, mismatch)
                return topic
        # -1 asks the broker for its default (KIP-464).
        topic = _topic(self._client.create(name, partitions, replication or -1, configs))
        self._compare(topic, wanted, mismatch)
        return topic

    def _compare(self, topic: Topic, wanted: Mapping[str, Any], mismatch: Mismatch) -> None:
        if mismatch == "ignore":
            return
        found: dict[str, Any] = dict(self._client.configs(topic.name))
        found |= {"partitions": topic.partitions, "replication": topic.replication}
        differences = [
            f"{what} is {found.get(what)}, wanted {value}"
            for what, value in wanted.items()
            if value not in (None, found.get(what))
        ]
        if not differences:
            return
        text = f"the topic differs: {'; '.join(differences)}"
        if mismatch == "fail":
            raise TopicError(
                f"{text}. Delete it, use another name, or pass mismatch='warn'", topic=topic.name
            )
        logger.warning("%s (topic %s)", text, topic.name)


def _topic(found: Mapping[str, Any]) -> Topic:
    partitions = found["partitions"]
    return Topic(
        name=found["name"],
        id=str(found["topic_id"]),
        partitions=len(partitions),
        replication=len(partitions[0]["replica_nodes"]) if partitions else 0,
    )
