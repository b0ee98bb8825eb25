"""Reads topics as a member of a consumer group: assignments, positions, commits."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import kafka
import kafka.errors
from kafka.protocol.consumer import HeartbeatRequest

from clicklib.client.admin import GroupAdmin
from clicklib.client.assignor import CopartitionAssignor
from clicklib.client.cluster import Cluster
from clicklib.client.connect import answer_ms
from clicklib.client.failing import FailingCommits
from clicklib.client.faults import translated
from clicklib.client.limit import within
from clicklib.client.offsets import Offsets, Records, TopicPartition, committable
from clicklib.client.retry import keep_trying
from clicklib.client.topic_reader import consumer, leaderless
from clicklib.client.unchanged import Unchanged
from clicklib.errors import KafkaError, TopicError, UnavailableError

__all__ = ["GroupReader"]

logger = logging.getLogger("clicklib")

_GROUP = "Read on the group"

# In a rebalance nobody else has the partitions of a member before it gives them up.
_TO_MEMBERS = (kafka.errors.NoError.errno, kafka.errors.RebalanceInProgressError.errno)


class GroupReader:
    """A member of a consumer group over some topics. For one thread.

    `connect_timeout` (seconds) is for the first answer of a broker, `answer_timeout` for each later
    one.

    `on_revoked` is awaited before partitions are given up, and may await `sleep` and `commit_soon`.
    `on_assigned` is called after a new assignment, `on_lost` after the loss of one. All three run
    on another thread, while `poll` or `close` runs.
    """

    def __init__(
        self,
        cluster: Cluster,
        group: str,
        topics: tuple[str, ...],
        *,
        session_timeout: float,
        max_poll_interval: float,
        connect_timeout: float,
        answer_timeout: float,
        on_revoked: Callable[[], Awaitable[None]],
        on_assigned: Callable[[set[TopicPartition]], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._assignor = CopartitionAssignor()
        self._refusal: KafkaError | None = None
        self._consumer = consumer(
            cluster,
            connect_timeout,
            topics,
            group_id=group,
            auto_offset_reset="earliest",  # for each `start`: no existing message is skipped
            session_timeout_ms=int(session_timeout * 1000),
            heartbeat_interval_ms=max(100, int(session_timeout * 1000 / 5)),
            max_poll_interval_ms=int(max_poll_interval * 1000),
            partition_assignment_strategy=[self._assignor],
        )
        self._group, self._topics = group, topics
        self.group_metadata: Any = None
        """The member's name and generation at the time of its present assignment.

        A transaction needs these, not the current ones: a member that the group dropped has none
        until it joins again, and Kafka accepts offsets without them unchecked (KIP-447).
        """
        self._cluster, self._session_timeout = cluster, session_timeout
        self._timeout_ms = answer_ms(answer_timeout)
        self.commit_done = True  # whether no commit is on its way
        self.commit_error: BaseException | None = None
        self.failing = FailingCommits(group, _GROUP)
        self._take_late_joins()
        self._tell_of_resets()
        self._consumer._coordinator._build_metadata_snapshot = _snapshot
        try:
            listener = _Listener(self, on_revoked, on_assigned, on_lost)
            self._consumer.subscribe(topics=list(topics), listener=listener)
            self._wait_for_metadata(topics, connect_timeout)
            # What the client knows by now is no change, and no reason to join a second time.
            subscribed, cluster_now = self._consumer._subscription, self._consumer._cluster
            self._consumer._coordinator._metadata_snapshot = _snapshot(subscribed, cluster_now)
        except BaseException:
            self.close()
            raise

    def _wait_for_metadata(self, topics: tuple[str, ...], timeout: float) -> None:
        """Wait until the client knows the topics, after `subscribe` and before the first `poll`.

        A member that joins without knowing them and leads the group assigns no partitions. It joins
        a second time when it learns of the topics, and that second join can hang for ever.
        """

        def find() -> None:
            missing = set(topics) - self._consumer._cluster.topics(False)
            if missing:
                raise TopicError("the topic is not there", topic=min(missing))

        keep_trying(find, timeout, passes=lambda exc: isinstance(exc, TopicError), pause=0.02)

    def watch(self, partitions: int) -> Unchanged:
        """Notice from now on if a topic's number of partitions changes, or if it is made anew."""
        return Unchanged(self._consumer._cluster, self._topics, partitions)

    def poll(self, timeout: float) -> Records:
        """The next records by partition, after at most `timeout` seconds.

        Raises KafkaError if this member cannot have a share beside the other members.
        """
        if self._refusal is not None:
            raise self._refusal
        try:
            what = f"cannot read the input as a member of the group {self._group}"
            with translated(what, f"Read on the topic and {_GROUP}"):
                return self._consumer.poll(int(timeout * 1000))
        except KafkaError as exc:
            if isinstance(exc.__cause__, kafka.errors.InvalidSessionTimeoutError):
                raise self._refused_session() from exc
            if isinstance(exc.__cause__, kafka.errors.InconsistentGroupProtocolError):
                raise KafkaError(
                    f"the group {self._group} has members that share partitions by other rules "
                    "than Goka's copartition, such as plain consumers: stop them, or use another "
                    "group"
                ) from exc
            raise

    def _refused_session(self) -> KafkaError:
        with GroupAdmin(self._cluster) as admin:
            limits = admin.session_limits()
        allowed = f" it allows {limits[0]:g} to {limits[1]:g} s" if limits else " it has limits"
        return KafkaError(
            f"the broker refuses session_timeout={self._session_timeout:g}:{allowed} "
            "(group.min.session.timeout.ms and group.max.session.timeout.ms)"
        )

    def check(self, assigned: set[TopicPartition]) -> bool:
        """Whether this member can work on the partitions that it was assigned."""
        others, mine = self._assignor.others, set(self._topics)
        wanted = {TopicPartition(topic, place.partition) for topic in mine for place in assigned}
        if assigned != wanted or not mine.issubset(others or mine):
            self._refusal = KafkaError(
                f"the group {self._group} has members that read "
                f"{', '.join(sorted(others)) or 'other topics'}, and this one reads "
                f"{', '.join(sorted(mine))}: they cannot share one table. Stop the others, or use "
                "another group"
            )
        elif others:
            logger.warning(
                "group %s: this member reads %s, and has no work while others read %s",
                self._group,
                ", ".join(sorted(mine)),
                ", ".join(sorted(others)),
            )
        return self._refusal is None

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """Return no more records of `partitions` until `resume`; unassigned ones are ignored."""
        self._consumer.pause(*self._assigned(partitions))

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """Return their records again."""
        self._consumer.resume(*self._assigned(partitions))

    def _assigned(self, partitions: Iterable[TopicPartition]) -> set[TopicPartition]:
        return self._consumer.assignment() & set(partitions)

    def confirm(self, timeout: float) -> None:
        """Ask the coordinator whether this member has its assignment still. Any thread may call it.

        Raises UnavailableError if it has not, or if no answer comes within `timeout` seconds.
        """
        coordinator, member = self._consumer._coordinator, self.group_metadata

        async def ask() -> Any:
            # Not kafka-python's own heartbeat: after a refusal that would end a join under way.
            request = HeartbeatRequest(
                group_id=self._group,
                generation_id=member.generation_id,
                member_id=member.member_id,
                group_instance_id=None,
            )
            asked = coordinator._manager.send(request, node_id=coordinator.coordinator_id)
            answer = await coordinator._manager.wait_for(asked, int(timeout * 1000))
            if answer.error_code not in _TO_MEMBERS:
                raise kafka.errors.for_code(answer.error_code)

        try:
            keep_trying(lambda: self._consumer._net.run(ask), timeout, passes=_passes)
        except (kafka.errors.KafkaError, RuntimeError) as exc:  # that of a client that was closed
            raise UnavailableError(f"the group does not confirm this member: {exc!r}") from exc

    def _take_late_joins(self) -> None:
        """Make `poll` take the answer to a join that came between two polls.

        kafka-python would join again: for nothing, and on a slow link again and again.
        """
        coordinator = self._consumer._coordinator
        join = coordinator.join_group_async

        async def join_or_take(timeout_ms: float | None = None) -> bool:
            if coordinator._join_task is not None and coordinator._join_task.is_done:
                coordinator._join_task = _LateJoin(coordinator._join_task)
            return await join(timeout_ms)

        coordinator.join_group_async = join_or_take

    def _tell_of_resets(self) -> None:
        """Say so where Kafka does not have the next message: kafka-python reads on elsewhere."""
        subscription = self._consumer._subscription
        reset = subscription.request_offset_reset

        def request(place: TopicPartition, strategy: Any = None) -> None:
            if strategy is None:  # `go_on` names one
                logger.warning(
                    "group %s: partition %d of %s has no message %d, which was the next one to "
                    "count. Either messages were deleted before they were counted, or the log was "
                    "cut or the group's offset set too high. It goes on at the oldest message",
                    self._group,
                    place.partition,
                    place.topic,
                    subscription.assignment[place].position.offset,
                )
            reset(place, strategy)

        subscription.request_offset_reset = request

    def go_on(self, places: list[TopicPartition], newest: bool) -> None:
        """Read on from the committed offsets; without one, from the log's begin or `newest` end.

        If the member keeps a partition in a rebalance, the client itself would continue after the
        last record that it returned, handled or not. A start at the newest message is committed at
        once: a restart before the first commit then skips no message.
        """
        coordinator = self._consumer._coordinator
        # A request that timed out stays in kafka-python's cache. Its late answer would be used for
        # the next request. It may be old: others may have had the partitions meanwhile, and
        # committed. Their messages would be counted twice.
        coordinator._offset_fetch_futures.clear()
        ask, limit = coordinator._manager.run, within(self._timeout_ms / 1000 + 1)
        with limit, translated("cannot read the committed offsets", _GROUP):
            # All at once: the public `committed` takes a round trip for each partition. And by a
            # call that ends when the member is to stop.
            found = ask(coordinator.fetch_committed_offsets_async, places, self._timeout_ms)
            fresh = [place for place in places if place not in found]
            ends = self._consumer.end_offsets(fresh, self._timeout_ms) if fresh and newest else {}
            offsets = {**{place: known.offset for place, known in found.items()}, **ends}
            for place in places:
                if place in offsets:
                    self._consumer.seek(place, offsets[place])
                else:
                    self._consumer.seek_to_beginning(place)
            self._consumer._fetcher.reset_offsets_if_needed()  # the next `poll` would ask later
            if ends:
                self._consumer.commit(committable(ends), timeout_ms=self._timeout_ms)

    @property
    def is_cut_off(self) -> bool:
        """Whether messages may come that it does not hear of.

        No heartbeat was answered for a session, so that others may have its partitions by now; or
        no broker leads one of them.
        """
        return self._is_expired() or any(
            leaderless(self._consumer, place) for place in self._consumer.assignment()
        )

    def _is_expired(self) -> bool:
        return bool(self._consumer._coordinator.heartbeat.session_timeout_expired())

    def lag(self, partition: TopicPartition, position: int) -> int | None:
        """How many offsets lie between `position` and the end; None if the end is not known.

        It is not known before the first fetch, and while messages may come unheard of.
        """
        if partition not in self._consumer.assignment():
            return None
        if self._is_expired() or leaderless(self._consumer, partition):
            return None
        end = self._consumer.highwater(partition)
        return None if end is None else max(0, end - position)

    def caught_up(self, partition: TopicPartition) -> bool:
        """Whether all records have been returned; control records do not count.

        False while it is not known.
        """
        if partition not in self._consumer.assignment():
            return True
        end = self._consumer.highwater(partition)
        with contextlib.suppress(kafka.errors.KafkaError):  # `poll` raises lasting errors
            position = None if end is None else self._consumer.position(partition, 1_000)
            return position is not None and position >= end
        return False

    def commit_async(self, offsets: Offsets) -> None:
        """Send a commit; `commit_done` and `commit_error` tell its result."""
        self.commit_done, self.commit_error = False, None
        try:
            self._consumer.commit_async(committable(offsets), callback=self._commit_answered)
        except kafka.errors.KafkaError as exc:
            self._commit_answered(offsets, exc)

    def _commit_answered(self, offsets: Any, answer: Any) -> None:
        # A callback: the future of commit_async may be that of a look-up of the coordinator only.
        self.commit_error = answer if isinstance(answer, BaseException) else None
        self.failing.answered(self.commit_error)
        self.commit_done = True

    async def commit_soon(self, offsets: Offsets) -> None:
        """Commit from within `on_revoked`."""
        # Twice: if the coordinator must be found first, the first call waits only for that.
        for _ in range(2):
            await self._consumer.commit_async(committable(offsets))

    def commit(self, offsets: Offsets, timeout: float) -> None:
        """Commit and wait for the answer, at most `timeout` seconds."""
        with translated("cannot commit", _GROUP):
            self._consumer.commit(committable(offsets), timeout_ms=int(timeout * 1000))

    async def sleep(self, seconds: float) -> None:
        """Wait within `on_revoked` while heartbeats go on.

        kafka-python has no public way to do so. If this thread blocked, no heartbeats would be
        sent, and the group would drop the member.
        """
        await self._consumer._net.sleep(seconds)

    def close(self, timeout: float = 5.0) -> None:
        """Leave the group and close; repeatable."""
        with contextlib.suppress(kafka.errors.KafkaError):
            self._consumer.close(autocommit=False, timeout_ms=int(timeout * 1000))


def _passes(error: Exception) -> bool:
    return isinstance(error, kafka.errors.RetriableError)


def _snapshot(subscription: Any, cluster: Any) -> dict[str, set[int]]:
    """The partitions of this member's topics; if they change while it leads, the group joins anew.

    kafka-python's own also looks at the topics that others read, but not while the group joins. So
    the group would join again and again.
    """
    topics = subscription.subscription or ()
    return {topic: cluster.partitions_for_topic(topic) or set() for topic in topics}


class _LateJoin:
    """A join with an answer, which kafka-python waits for as if there were none yet."""

    is_done = False

    def __init__(self, join: Any) -> None:
        self.add_callback, self.add_errback = join.add_callback, join.add_errback


class _Listener(kafka.AsyncConsumerRebalanceListener):
    def __init__(
        self,
        reader: GroupReader,
        on_revoked: Callable[[], Awaitable[None]],
        on_assigned: Callable[[set[TopicPartition]], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._reader = reader
        self._revoked, self._assigned, self._lost = on_revoked, on_assigned, on_lost

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._revoked()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        # Paused here, so that no record comes before the table is recovered.
        self._reader.pause(assigned)
        self._reader.group_metadata = self._reader._consumer.group_metadata()
        if self._reader.check(set(assigned)):
            self._assigned(set(assigned))

    async def on_partitions_lost(self, lost: set[TopicPartition]) -> None:
        self._lost()
