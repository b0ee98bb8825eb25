"""Processors that are broken on purpose: the effect is seen, it is healed, and no click is lost."""

from __future__ import annotations

import threading
import time

import psutil
import pytest

from clicklib import Emitter, View
from clicklib.breaking import BreakableProcessor, BreakingPanel
from clicklib.client.groups import Groups
from clicklib.codec import Json, String
from clicklib.lessons import stop_everything
from clicklib.widgets import Ledger
from tests.support.long import cases
from tests.waiting import wait_until

USERS = [f"user-{number}" for number in range(20)]


class Room:
    """Processors, a view, a ledger and a panel; all users click until `rest`."""

    def __init__(self, cluster, topic, group, processors, guarantee):
        self.topic, self.group = topic, group
        self.groups = Groups(cluster, timeout=30)
        self.parts = [
            BreakableProcessor(cluster, topic, group, guarantee=guarantee)
            for _ in range(processors)
        ]
        for part in self.parts:
            part.wait_running()
        self.view = View(cluster, self.parts[0].graph.table, Json(dict), storage="memory").start()
        self.emitter = Emitter(cluster, topic, String())
        self.ledger = Ledger(self.emitter, None, self.view.wait_running(60))
        self.panel = BreakingPanel(self.parts, ledger=self.ledger)
        self._ending = threading.Event()
        self._clicks = threading.Thread(target=self._click)
        self._clicks.start()

    def _click(self):
        while not self._ending.wait(0.1):
            for user in USERS:
                self.emitter.emit(user, "now")

    def told(self):
        """The first processor as the panel shows it."""
        self.panel.paint()
        return self.panel.data["targets"][0]

    def members(self):
        found = self.groups.describe(self.group, [self.topic])
        return len(found.members) if found.state == "Stable" else 0

    def lags(self):
        progress = self.groups.describe(self.group, [self.topic]).progress
        return {each.partition: each.lag for each in progress}

    def counted(self):
        return sum(row["Clicks"] for _, row in self.view.items())

    def rest(self):
        """The figures of the ledger when all clicks are counted."""
        self._ending.set()
        self._clicks.join()

        def even():
            self.ledger.paint()
            figures = self.ledger.data["figures"]
            same = figures["sent"] == figures["acknowledged"]
            known = figures["waiting"] == figures["lost"] == 0
            return same and known and figures["twice"] is not None and figures

        return wait_until(f"all are counted: {self.ledger.data}", even)

    def end(self):
        self._ending.set()
        self._clicks.join()
        for widget in (self.panel, self.ledger):
            widget.close()
        for part in self.parts:
            part.stop_for_good()
        self.view.stop(), self.emitter.close(), self.groups.close()


@pytest.fixture
def open_room(cluster, topic, name):
    rooms = []
    yield lambda *args: rooms.append(Room(cluster, topic, name, *args)) or rooms[-1]
    for room in rooms:
        room.end()


def left_the_group(room):
    return room.members() == 1


def only_one_partition_lags(room):
    lags = room.lags()
    return lags[8] > 20 and max(lag for place, lag in lags.items() if place != 8) < 10


def lags(room):
    return sum(room.lags().values()) > 100


def ended_with_a_store_error(room):
    return "StoreError" in room.told()["state"]


def is_late(room):
    before, begun = room.counted(), time.monotonic()
    wait_until("more is counted", lambda: room.counted() > before, 30, every=0.01)
    return time.monotonic() - begun > 0.15


EFFECTS = {
    "stop": (left_the_group, 2),
    "kill": (left_the_group, 2),
    "suspend": (left_the_group, 2),
    "cut": (left_the_group, 2),
    "freeze": (left_the_group, 2),
    "slow": (lags, 1),
    "delay": (is_late, 1),
    "slow_callback": (only_one_partition_lags, 1),
    "fill_disk": (ended_with_a_store_error, 1),
}


@cases(
    ("fault", "guarantee"),
    [("freeze", "exactly_once")],
    [
        (fault, guarantee)
        for fault in EFFECTS
        for guarantee in ("exactly_once", "at_least_once")
        if (fault, guarantee) != ("freeze", "exactly_once")
    ],
)
def test_a_fault_is_seen_and_healed_and_no_click_is_lost(open_room, fault, guarantee):
    effect, processors = EFFECTS[fault]
    room = open_room(processors, guarantee)
    wait_until("all count", lambda: room.members() == processors and room.counted() > 40)
    room.panel.press(fault)
    wait_until(f"{fault}: {effect.__name__}", lambda: effect(room))
    if room.told()["on"]:  # a slow machine may see the effect after its end
        room.panel.press(fault)
    wait_until("it is healed", lambda: room.told()["on"] == "")
    wait_until("it is back", lambda: room.members() == processors)
    before = room.counted()
    wait_until("clicks are counted", lambda: room.counted() > before)
    figures = room.rest()
    assert figures["lost"] == 0
    if guarantee == "exactly_once":
        assert figures["twice"] == 0
    assert any(text.startswith("processor 1 ") for _, text in room.ledger.data["marks"])


def test_a_cell_that_runs_again_ends_its_processor(cluster, topic, name):
    part = BreakableProcessor(cluster, topic, name)
    panel, program = BreakingPanel(part), psutil.Process(part.program.pid)
    del part
    assert program.is_running()
    panel.close()
    wait_until("it has ended", lambda: not program.is_running())
    wait_until(
        "its proxy has ended",
        lambda: "proxy" not in [thread.name for thread in threading.enumerate()],
    )


def test_when_the_lesson_ends_nothing_is_left_of_a_broken_processor(cluster, topic, name):
    before = {thread.name for thread in threading.enumerate()}
    part = BreakableProcessor(cluster, topic, name).wait_running()
    panel = BreakingPanel(part)
    panel.press("suspend")
    wait_until("it is suspended", lambda: part.state == "is suspended")
    program = psutil.Process(part.program.pid)
    stop_everything()
    assert not program.is_running()
    assert part.state.startswith("has ended")
    panel.press("start")
    wait_until("no thread is left", lambda: {t.name for t in threading.enumerate()} <= before)
    panel.close()
