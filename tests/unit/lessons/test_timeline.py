"""The timeline of a notebook: clicks in each half second, and the longest pauses."""

from __future__ import annotations

import pytest

from clicklib.clicks import User
from clicklib.lessons import timeline
from clicklib.lessons.timeline import Timeline

# With ten partitions user-0 is in partition 5 and user-1 in another one.
FIRST, SECOND = "user-0", "user-1"


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timeline, "time", clock)
    return clock


def noted(clock: Clock, *notes: tuple[float, str, int]) -> Timeline:
    """A timeline of these counts: each with the seconds since 100, and its user."""
    line = Timeline()
    for second, user, count in notes:
        clock.now = 100 + second
        line.note(user, User(count))
    return line


def places() -> dict[str, int]:
    return {
        user: timeline.partition_of(timeline.encode_key(user), timeline.PARTITIONS)
        for user in (FIRST, SECOND)
    }


def test_rates_are_what_was_added_in_each_half_second_and_none_is_zero(clock: Clock) -> None:
    line = noted(
        clock,
        *((-5, FIRST, 7), (-0.9, FIRST, 9), (0.1, FIRST, 10), (1.6, FIRST, 15)),
        (1.7, SECOND, 1),
    )
    names = {place: user for user, place in places().items()}
    table = line.rates(100, 102.2, names)
    assert list(table.index) == [-1, -0.5, 0, 0.5, 1, 1.5]
    assert list(table[FIRST]) == [2, 0, 1, 0, 0, 5]
    assert list(table[SECOND]) == [0, 0, 0, 0, 0, 1]


def test_partitions_of_one_name_share_a_column(clock: Clock) -> None:
    line = noted(clock, (0.1, FIRST, 1), (0.2, SECOND, 3))
    table = line.rates(100, 100.5, dict.fromkeys(range(10), "all"))
    assert list(table["all"]) == [0, 0, 4]


def test_the_longest_pause_is_between_two_clicks_of_a_partition_in_that_time(clock: Clock) -> None:
    line = noted(
        clock,
        *((-9, FIRST, 1), (-0.5, FIRST, 2), (0, SECOND, 1), (0.2, SECOND, 2)),
        *((1.5, FIRST, 3), (1.7, FIRST, 4), (9, FIRST, 5), (9, SECOND, 3)),
    )
    pauses = line.pauses(100, 103)
    place = places()
    assert dict(pauses) == {place[FIRST]: 2.0, place[SECOND]: 0.2}


def test_a_deleted_row_counts_down_and_does_not_raise(clock: Clock) -> None:
    line = noted(clock, (0, FIRST, 3))
    line.note(FIRST, None)
    table = line.rates(100, 100.6, dict.fromkeys(range(10), "all"))
    assert list(table["all"]) == [0, 0, 0]
