"""A group seen from outside: members, owners, offsets, lag."""

from __future__ import annotations

import pytest

from clicklib import Processor
from clicklib.client.groups import Groups
from clicklib.errors import UnavailableError
from tests.waiting import wait_until


@pytest.fixture
def groups(cluster):
    with Groups(cluster) as groups:
        yield groups


def test_a_group_that_nobody_joined_has_no_members_and_all_before_it(groups, name, topic, click):
    click(5)
    found = groups.describe(name, [topic])
    assert (found.name, found.state, found.members, found.owners) == (name, "Dead", (), {})
    assert [each.partition for each in found.progress] == list(range(10))
    assert {each.committed for each in found.progress} == {None}
    assert found.lag == 5


def test_a_broker_that_has_just_started_is_waited_for(own_cluster, name):
    with Groups(own_cluster) as groups:
        for _ in range(20):
            assert groups.describe(name).state == "Dead"


def test_topics_that_are_not_there_are_left_out(groups, name):
    assert groups.describe(name, ["nowhere"]).progress == ()
    assert groups.bounds("nowhere") == {}


def test_members_own_what_they_share_and_one_without_a_share_idles(
    groups, cluster, graph, name, topic, click
):
    processors = [Processor(cluster, graph, storage="memory").start() for _ in range(11)]
    try:
        found = wait_until(
            "eleven members share ten partitions",
            lambda: (
                (group := groups.describe(name)).state == "Stable"
                and len(group.members) == 11
                and len(group.owners) == 10
                and group
            ),
        )
        idle = [member for member in found.members if not member.partitions]
        assert len(idle) == 1
        assert set(found.owners) == {(topic, partition) for partition in range(10)}
        for member in found.members:
            assert member.host == "127.0.0.1"
            assert member.client
    finally:
        for processor in processors:
            processor.stop()
    assert wait_until("all have left", lambda: groups.describe(name).state == "Empty")


def test_the_lag_goes_down_to_nothing(groups, cluster, graph, name, topic, click):
    sent = click(100)
    assert groups.describe(name, [topic]).lag == 100
    with Processor(cluster, graph, storage="memory").start():
        wait_until("no lag", lambda: groups.describe(name, [topic]).lag == 0)
    found = groups.describe(name)
    ends = {each.partition: (each.begin, each.end) for each in found.progress}
    assert groups.bounds(topic) == ends
    assert sum(each.committed or 0 for each in found.progress) == sum(sent.values())


def test_no_broker_is_said_so():
    with pytest.raises(UnavailableError, match="no broker answers"):
        Groups("127.0.0.1:1", timeout=0.5)
