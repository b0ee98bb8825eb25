"""The owners of partitions over time, and the watch that all pictures of a group share."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from clicklib import Processor, clicks
from clicklib.errors import UsageError
from clicklib.widgets.group_watch import GroupWatch, group_watch
from tests.unit.widgets.fakes import NOWHERE, group, member, view


def test_owners_are_remembered_with_the_gap_of_a_rebalance() -> None:
    watch = GroupWatch(SimpleNamespace(addresses=()), "g", ())  # type: ignore[arg-type]
    watch._note(group(member("m1", 0)), 10.0)
    watch._note(group(member("m1", 0)), 10.5)
    watch._note(group(member("m1", 0), state="PreparingRebalance"), 11.0)
    watch._note(group(member("m2", 0), member("m1")), 11.5)
    assert watch.strips() == {0: [("A", 10.0, 11.0), ("", 11.0, 11.5), ("B", 11.5, None)]}
    assert watch.letters == {"m1": "A", "m2": "B"}
    watch._note(group(member("m2", 0)), 60.0)  # nobody looked meanwhile
    assert watch.strips()[0][2:] == [("B", 11.5, 11.5), ("B", 60.0, None)]
    watch.error = "away"
    assert watch.strips()[0][-1] == ("B", 60.0, 60.0)
    watch.error = ""
    watch._note(group(member("m2", 0)), 5000.0)
    assert watch.strips() == {0: [("B", 5000.0, None)]}


def test_who_asks_for_the_same_group_shares_a_watch() -> None:
    one, other = (Processor(NOWHERE, clicks.graph(clicks.count)) for _ in range(2))
    assert group_watch(one) is group_watch([one, other], view=view())
    assert group_watch(NOWHERE, "g") is group_watch(None, view=view())
    with pytest.raises(UsageError, match="name a processor"):
        group_watch(None)
