"""The map of partitions and owners."""

from __future__ import annotations

from clicklib.widgets import PartitionMap
from clicklib.widgets.partitions import _ranges
from tests.unit.widgets.fakes import NOWHERE, FakeWatch, group, member


def test_partitions_are_named_in_runs() -> None:
    assert _ranges([7, 0, 1, 2, 4, 2]) == "0-2, 4, 7"


def test_the_map_has_every_member_and_forgets_what_left_its_window() -> None:
    watch = FakeWatch(group(member("m2"), member("m1", 0), lag=4))
    picture = PartitionMap(NOWHERE, "g", watch=watch)  # type: ignore[arg-type]
    data = picture.data
    assert [(m["letter"], m["partitions"]) for m in data["members"]] == [("A", "0"), ("B", "")]
    assert data["strips"] == {"0": [("B", 5e9, None)]}
    assert data["lags"] == {"0": 4}
    stamp = data["now"]
    picture.paint()
    assert picture.data["now"] == stamp
    picture._heard(None, {"shown": "x"}, [])
    picture.paint()
    assert picture.data["now"] > stamp
