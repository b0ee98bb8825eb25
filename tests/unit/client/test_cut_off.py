"""A member of a group that may not hear of its messages knows that."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from clicklib.client.group_reader import GroupReader
from clicklib.client.offsets import TopicPartition

MINE, OTHER = TopicPartition("clicks", 0), TopicPartition("clicks", 1)


@pytest.mark.parametrize(
    ("expired", "leaders", "cut_off"),
    [
        (False, {MINE: 1, OTHER: 2}, False),
        (False, {MINE: 1, OTHER: -1}, False),  # nobody has assigned it that one
        (False, {MINE: -1}, True),
        (False, {}, True),
        (True, {MINE: 1}, True),
    ],
)
def test_it_is_cut_off_without_answers_and_without_a_leader(
    expired: bool, leaders: dict[TopicPartition, int], cut_off: bool
) -> None:
    heartbeat = SimpleNamespace(session_timeout_expired=lambda: expired)
    reader = object.__new__(GroupReader)
    reader._consumer = SimpleNamespace(
        assignment=lambda: {MINE},
        _cluster=SimpleNamespace(leader_for_partition=leaders.get),
        _coordinator=SimpleNamespace(heartbeat=heartbeat),
    )
    assert reader.is_cut_off is cut_off
