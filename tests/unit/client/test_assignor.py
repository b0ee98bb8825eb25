"""The assignor `copartition`, as kafka-python calls it."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.coordinator.assignors.abstract import RebalanceProtocol
from kafka.protocol.consumer.metadata import ConsumerProtocolSubscription

from clicklib.client.assignor import CopartitionAssignor


class Metadata:
    """How many partitions each topic has."""

    def __init__(self, topics: Mapping[str, int]) -> None:
        self.topics = topics

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(self.topics[topic])) if topic in self.topics else None


def assign(
    topics: Mapping[str, int],
    members: Mapping[str, tuple[str, ...]],
    assignor: CopartitionAssignor | None = None,
) -> dict[str, dict[str, list[int]]]:
    joined = [
        SimpleNamespace(member_id=name, metadata=ConsumerProtocolSubscription(0, list(read), b""))
        for name, read in members.items()
    ]
    shares = (assignor or CopartitionAssignor()).assign(Metadata(topics), joined)
    return {
        name: {topic: list(mine) for topic, mine in share.assigned_partitions}
        for name, share in shares.items()
    }


def test_it_is_known_by_the_name_that_goka_uses_and_takes_all_partitions_at_each_rebalance() -> (
    None
):
    assignor = CopartitionAssignor()
    assert assignor.name == "copartition"
    assert list(assignor.supported_protocols()) == [RebalanceProtocol.EAGER]


def test_its_subscription_names_the_topics_sorted_and_carries_no_user_data() -> None:
    subscription = CopartitionAssignor().metadata({"b", "a"})
    assert (list(subscription.topics), subscription.user_data) == (["a", "b"], b"")


@pytest.mark.parametrize("order", [("m1", "m2", "m3"), ("m3", "m1", "m2")])
def test_members_are_served_in_the_order_of_their_ids(order: tuple[str, ...]) -> None:
    shares = assign({"clicks": 10}, dict.fromkeys(order, ("clicks",)))
    assert shares == {
        "m1": {"clicks": [0, 1, 2]},
        "m2": {"clicks": [3, 4, 5, 6]},
        "m3": {"clicks": [7, 8, 9]},
    }


def test_a_member_gets_the_same_partitions_of_every_topic() -> None:
    shares = assign({"a": 4, "b": 4}, {"m1": ("a", "b"), "m2": ("b", "a")})
    assert shares == {"m1": {"a": [0, 1], "b": [0, 1]}, "m2": {"a": [2, 3], "b": [2, 3]}}


def test_a_member_too_many_gets_an_empty_assignment() -> None:
    shares = assign({"clicks": 1}, {"m1": ("clicks",), "m2": ("clicks",)})
    assert shares == {"m1": {"clicks": [0]}, "m2": {}}


def test_a_topic_that_is_not_known_yet_is_left_out() -> None:
    assert assign({}, {"m1": ("clicks",)}) == {"m1": {}}


def leader(*topics: str) -> CopartitionAssignor:
    """The assignor of a member that reads these topics, and that leads."""
    assignor = CopartitionAssignor()
    assignor.metadata(topics)
    return assignor


@pytest.mark.parametrize("leading", ["a", "b", "ab"])
def test_members_that_read_all_topics_share_them_with_whatever_leader(leading: str) -> None:
    members = {"m1": ("a",), "m2": ("a", "b"), "m3": ("b", "a"), "m4": ("b",)}
    shares = assign({"a": 4, "b": 4}, members, leader(*leading))
    assert shares == {
        "m1": {},
        "m2": {"a": [0, 1], "b": [0, 1]},
        "m3": {"a": [2, 3], "b": [2, 3]},
        "m4": {},
    }


@pytest.mark.parametrize("leading", ["a", "b"])
def test_if_none_reads_all_topics_those_work_that_read_the_same_as_the_leader(leading: str) -> None:
    shares = assign({"a": 2, "b": 2}, {"m1": ("a",), "m2": ("b",)}, leader(leading))
    wanted = {"m1": {"a": [0, 1]}, "m2": {}} if leading == "a" else {"m1": {}, "m2": {"b": [0, 1]}}
    assert shares == wanted


def test_a_topic_that_the_leader_does_not_know_has_as_many_partitions_as_the_others() -> None:
    shares = assign({"a": 2}, {"m1": ("a",), "m2": ("a", "b")}, leader("a"))
    assert shares == {"m1": {}, "m2": {"a": [0, 1], "b": [0, 1]}}


@given(
    st.dictionaries(st.text("m123", min_size=1), st.frozensets(st.sampled_from("abc"), min_size=1)),
    st.integers(1, 12),
)
def test_each_partition_has_one_owner_that_reads_all_its_topics(
    members: dict[str, frozenset[str]], partitions: int
) -> None:
    for leading in members.values():
        read = {name: tuple(topics) for name, topics in members.items()}
        shares = assign(dict.fromkeys("abc", partitions), read, leader(*leading))
        for name, mine in shares.items():
            assert not mine or (mine.keys() == members[name] and len(mine) == len(members[name]))
            assert len({tuple(each) for each in mine.values()}) <= 1
        owned = [p for mine in shares.values() for p in next(iter(mine.values()), [])]
        assert sorted(owned) == list(range(partitions))


def test_a_member_without_work_is_told_what_the_others_read() -> None:
    joined = [
        SimpleNamespace(member_id=name, metadata=ConsumerProtocolSubscription(0, list(read), b""))
        for name, read in {"m1": "a", "m2": "ab"}.items()
    ]
    shares = leader("a").assign(Metadata({"a": 1, "b": 1}), joined)
    idle, busy = leader("a"), leader("a", "b")
    idle.on_assignment(shares["m1"])
    busy.on_assignment(shares["m2"])
    assert (idle.others, busy.others) == ({"a", "b"}, set())
