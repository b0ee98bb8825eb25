"""One click, timed, over a real Kafka."""

from __future__ import annotations

import threading

import pytest

from clicklib.client.topics import TopicManager
from clicklib.widgets import ClickTimes
from clicklib.widgets.click_times import STRETCHES
from tests.waiting import wait_until


@pytest.fixture
def times(cluster, name):
    times = ClickTimes(cluster, name)
    yield times
    times.close()
    times.close()
    wait_until("its threads have ended", lambda: not threads())
    with TopicManager(cluster) as topics:
        assert [each for each in topics.names() if name in each] == []


def threads():
    return [each.name for each in threading.enumerate() if each.name.startswith("clicklib")]


def wait_clicks(times, number):
    def timed():
        times.paint()
        assert not times.data["error"], times.data["error"]
        return times.data["clicks"] == number

    wait_until(f"{number} clicks are timed", timed)


def test_each_stretch_of_a_click_has_a_time_but_that_of_the_browser(times):
    times.press()
    wait_clicks(times, 1)
    found = {each["name"]: each["ms"] for each in times.data["stretches"]}
    assert [name for name, *_ in STRETCHES] == list(found)
    assert found.pop("drawn") is None
    assert all(ms >= 0 for ms in found.values()), found
    times.told({"drawn": times.data["click"]})
    times.paint()
    assert times.data["stretches"][-1]["ms"] > 0

    times.told({"choose": ["exactly_once", 50]})
    times.told({"press": 3})
    wait_clicks(times, 3)
    waits, sure = {each["name"]: each["median"] for each in times.data["stretches"]}, times.data
    assert waits["acknowledged"] > 45, "it contains the linger"
    assert [total[:3] for total in sure["totals"]] == [
        ["at_least_once", 5, 1],
        ["exactly_once", 50, 3],
    ]
    assert sure["totals"][1][3] > 50
