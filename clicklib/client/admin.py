"""Asks a cluster about its topics and groups, and makes topics."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import kafka
import kafka.errors
from kafka.admin import NewTopic, UserScramCredentialUpsertion
from kafka.protocol.metadata import CoordinatorType, FindCoordinatorRequest

from clicklib.client.closing import Closing
from clicklib.client.cluster import Cluster
from clicklib.client.connect import answer_ms, connect
from clicklib.client.faults import Denied, translated
from clicklib.client.layout import Layout, copies_of
from clicklib.client.limit import within
from clicklib.client.offsets import TopicPartition
from clicklib.client.retry import aside, keep_trying
from clicklib.errors import KafkaError, TopicError

__all__ = ["Admin", "GroupAdmin", "bounds"]

_NEWS = 3.0  # seconds until a broker certainly knows a new topic or a new broker
_MADE = 30.0  # seconds until all brokers know a topic that was made just now

# A new topic is not known yet, or has no leader while its broker is too busy for a heartbeat.
_NOT_YET = (kafka.errors.UnknownTopicOrPartitionError, kafka.errors.UnknownBrokerIdError)


def _is(kind: type[Exception] | tuple[type[Exception], ...]) -> Callable[[Exception], bool]:
    """Make a test for kafka-python's errors of a kind; some are the cause of another error."""
    return lambda error: isinstance(error.__cause__ or error, kind)


def _some(names: Iterable[str], most: int = 3) -> str:
    names = list(names)
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def bounds(
    admin: kafka.KafkaAdminClient, places: Iterable[TopicPartition]
) -> dict[TopicPartition, tuple[int, int]]:
    """The first offset and the end offset of each of `places`."""

    def ask(which: Any) -> Any:
        return keep_trying(
            lambda: admin.list_partition_offsets(dict.fromkeys(places, which)),
            _NEWS,
            passes=_is(kafka.errors.UnknownTopicOrPartitionError),
        )

    later = aside(lambda: ask(kafka.admin.OffsetSpec.EARLIEST))  # for the sake of slow links
    ends = ask(kafka.admin.OffsetSpec.LATEST)
    begins = later.result()
    return {place: (begins[place].offset, ends[place].offset) for place in begins}


class Admin(Closing):
    """Asks about the cluster and its topics, creates topics and deletes them.

    Each call takes at most `timeout` seconds; `create` at least 30, if need be.
    """

    def __init__(self, cluster: Cluster, timeout: float = 10.0, **settings: Any) -> None:
        self._timeout = timeout
        self._admin = connect(kafka.KafkaAdminClient, cluster, timeout, **settings)

    @contextlib.contextmanager
    def _asking(self, what: str, *needs: str, **where: Any) -> Iterator[None]:
        with within(self._timeout), translated(what, *needs, **where):
            yield

    def cluster_id(self) -> str:
        """The id of the cluster."""
        with self._asking("cannot describe the cluster"):
            # `describe_cluster` would fail: it asks for what brokers before 3.7 do not send.
            return self._metadata([])["cluster_id"]

    def _metadata(self, topics: list[str]) -> dict[str, Any]:
        return self._admin._manager.run(self._admin._get_cluster_metadata, topics)

    def topics(self, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """`topic_id` and `partitions` of each of `names` that exists."""
        names = list(names)
        with self._asking(f"cannot describe the topics {_some(names)}"):
            found = self._admin.describe_topics(names)
        for topic in found:
            error = kafka.errors.for_code(topic["error_code"])
            if issubclass(error, kafka.errors.AuthorizationError):
                with translated("cannot describe the topic", topic=topic["name"]):
                    raise error
        return {topic["name"]: topic for topic in found if not topic["error_code"]}

    def names(self) -> list[str]:
        """The names of all topics but Kafka's own."""
        with self._asking("cannot list the topics"):
            return sorted(n for n in self._admin.list_topics() if not n.startswith("__"))

    def configs(self, topic: str, patience: float = _NEWS) -> dict[str, str]:
        """The topic's configuration, with the defaults.

        A broker may have to hear of the topic; `patience` (seconds) is for that.
        """
        resource = kafka.admin.ConfigResource(kafka.admin.ConfigResourceType.TOPIC, topic)
        silent = KafkaError(
            "the broker does not tell the topic's configuration: this user may need the permission "
            "DescribeConfigs on the topic; with mismatch='ignore' it is not asked for",
            topic=topic,
        )

        def ask() -> dict[str, Any]:
            found = self._admin.describe_configs([resource], config_filter="all")["topic"][topic]
            # kafka-python returns nothing if the broker doesn't know the topic or doesn't tell.
            if not found:
                raise silent
            return found

        needs = "DescribeConfigs on the topic"
        with self._asking("cannot read the topic's configuration", needs, topic=topic):
            found = keep_trying(ask, patience, passes=lambda error: error is silent)
        return {name: entry["value"] for name, entry in found.items()}

    def create(
        self, topic: str, partitions: int, replication: int, configs: Mapping[str, str]
    ) -> dict[str, Any]:
        """Create the topic, unless it exists by now; wait until its leaders know it."""
        new = NewTopic(topic, partitions, replication, topic_configs=dict(configs))
        with within(max(_MADE, self._timeout)):
            try:
                with translated("cannot create the topic", "Create on the topic", topic=topic):
                    # A broker that has just started refuses until the controller knows it.
                    keep_trying(
                        lambda: self._admin.create_topics([new]),
                        _NEWS,
                        passes=_is(kafka.errors.InvalidReplicationFactorError),
                    )
            except KafkaError as exc:
                if not isinstance(exc.__cause__, kafka.errors.TopicAlreadyExistsError):
                    raise
            made = keep_trying(lambda: self._made(topic), _MADE, passes=_is(TopicError), pause=0.02)
            places = [TopicPartition(topic, p) for p in range(len(made["partitions"]))]
            with translated("cannot find the new topic", topic=topic):
                # Several brokers that have just started on a busy machine take longer than one.
                keep_trying(lambda: bounds(self._admin, places), _MADE, passes=_is(_NOT_YET))
            return made

    def delete(self, topics: Iterable[str]) -> None:
        """Delete topics; one that does not exist is passed over."""
        with self._asking("cannot delete the topics", "Delete on the topics"):
            found = list(self.topics(topics))
            if found:
                self._admin.delete_topics(found)

    def let_in(self, user: str, password: str) -> None:
        """Let a user log in by SCRAM-SHA-256 with this password, and with none from before."""
        new = UserScramCredentialUpsertion(user, "SCRAM-SHA-256", password)
        with self._asking("cannot set the password"):
            [problem] = self._admin.alter_user_scram_credentials([new]).values()
        if problem is not None:
            raise KafkaError(f"cannot set the password: {problem}")

    def _made(self, topic: str) -> dict[str, Any]:
        found = self.topics([topic])
        if topic not in found:
            raise TopicError("the topic was created but does not appear", topic=topic)
        return found[topic]

    def close(self) -> None:
        """Free the connection; repeatable."""
        with contextlib.suppress(kafka.errors.KafkaError):
            self._admin.close()


class GroupAdmin(Admin):
    """Asks about a group and about the brokers as well: members, committed offsets, the layout."""

    def __init__(self, cluster: Cluster, timeout: float = 10.0) -> None:
        # kafka-python's default is 30 s. By then the answer about a group would be out of date.
        super().__init__(cluster, timeout, request_timeout_ms=answer_ms(timeout))

    def group(self, group: str) -> dict[str, Any]:
        """`group_state` and `members` as the coordinator describes them."""
        # A broker that has just started, or just become coordinator, is not ready for its groups.
        with within(self._timeout):
            return keep_trying(lambda: self._describe(group), 5.0, passes=_may_pass)

    def _describe(self, group: str) -> dict[str, Any]:
        with self._asking(f"cannot describe the group {group}", "Describe on the group"):
            found = self._admin.describe_groups([group])[group]
        if not found["group_state"]:  # some errors come as an answer without a state
            raise KafkaError(f"cannot describe the group {group}: {found['error']}")
        return found

    def committed(self, group: str) -> dict[TopicPartition, int]:
        """The offsets that the group has committed."""
        with self._asking(f"cannot read the offsets of the group {group}", "Describe on the group"):
            found = self._admin.list_group_offsets({group: None}).get(group, {})
        return {place: entry.offset for place, entry in found.items() if entry.offset >= 0}

    def bounds(self, topics: Mapping[str, int]) -> dict[TopicPartition, tuple[int, int]]:
        """The first and the end offset of each partition; `topics` has the partition counts."""
        places = [TopicPartition(topic, p) for topic, n in topics.items() for p in range(n)]
        if not places:
            return {}
        with self._asking(f"cannot ask for the offsets of {_some(topics)}"):
            return bounds(self._admin, places)

    def session_limits(self) -> tuple[float, float] | None:
        """The session timeouts, in seconds, that the brokers allow; None if they do not tell."""
        kind = kafka.admin.ConfigResourceType.BROKER
        ignored = contextlib.suppress(kafka.errors.KafkaError, KeyError, IndexError)
        with ignored, within(self._timeout):
            name = str(self._metadata([])["brokers"][0]["node_id"])
            resource = kafka.admin.ConfigResource(kind, name)
            found = self._admin.describe_configs([resource], config_filter="all")["broker"][name]
            shortest, longest = (
                int(found[f"group.{end}.session.timeout.ms"]["value"]) / 1000
                for end in ("min", "max")
            )
            return shortest, longest
        return None

    def layout(self, topic: str, group: str | None = None) -> Layout:
        """The layout now, with the coordinator of `group`. Raises TopicError without the topic."""

        def ask() -> dict[str, Any]:
            with translated("cannot ask for the cluster's layout", topic=topic):
                return self._metadata([topic])

        found = keep_trying(ask, 2.0)  # one of the brokers may be dead
        controller, coordinator = self._controller(), None
        with contextlib.suppress(kafka.errors.KafkaError):
            coordinator = self._admin._manager.run(self._coordinator, group) if group else None
        partitions = found["topics"][0]["partitions"]
        if not partitions:
            raise TopicError("the topic is not there", topic=topic)
        alive = tuple(sorted(each["node_id"] for each in found["brokers"]))
        return Layout(alive, copies_of(partitions), controller, coordinator)

    def _controller(self) -> int | None:
        """The leader of the controllers. What the metadata name is just one of the brokers."""
        with contextlib.suppress(kafka.errors.KafkaError, IndexError):
            found = self._admin.describe_metadata_quorum()["topics"][0]["partitions"][0]
            return found["leader_id"] if found["leader_id"] >= 0 else None
        return None

    async def _coordinator(self, group: str) -> int | None:
        """Asked anew each time: kafka-python remembers it, also when it is dead."""
        request = FindCoordinatorRequest(
            key_type=CoordinatorType.GROUP, coordinator_keys=[group], min_version=4
        )
        [found] = (await self._admin._manager.send(request)).coordinators
        return found.node_id if found.node_id >= 0 else None


def _may_pass(error: Exception) -> bool:
    return isinstance(error, KafkaError) and not isinstance(error, Denied)
