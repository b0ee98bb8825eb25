"""One click, step by step: killed between two steps, each guarantee does what it promises."""

from __future__ import annotations

import threading
from contextlib import suppress

import psutil
import pytest

from clicklib.client.groups import Groups
from clicklib.client.logs import Logs
from clicklib.graph import group_table
from clicklib.lessons import StepByStep
from clicklib.lessons.step_by_step import STOPS
from tests.support.long import cases
from tests.waiting import wait_until


@pytest.fixture
def steps(cluster, name):
    before = set(threading.enumerate())
    steps = StepByStep(cluster, name)
    yield steps
    program = steps.program
    steps.close()
    steps.close()
    wait_until("its program has ended", lambda: not psutil.pid_exists(program.pid))
    with suppress(AssertionError):
        wait_until("its threads have ended", lambda: not threads(before))
    assert threads(before) == []


def threads(before):
    """The names of the threads that clicklib has begun since."""
    new = set(threading.enumerate()) - before
    return [each.name for each in new if each.name.startswith("clicklib")]


def wait_place(steps, place):
    """Wait until it stands at a place, or at none; and until the picture shows it."""

    def there():
        steps.paint()
        program = steps.program
        if place is None:
            return "waits for a click" in steps.data["says"]
        return program and program.standing and program.last_stop["place"] == place

    wait_until(f"it stands at {place}: {steps.data}", there)


def wait_figures(steps, **wanted):
    def shown():
        steps.paint()
        return steps.data.get("figures") == wanted

    wait_until(f"the picture shows {wanted}", shown)


def kafka(cluster, stream):
    """What Kafka says: clicks, committed offset, the newest row, the end of the table's topic."""
    with Groups(cluster) as groups, Logs(cluster, group_table(stream)) as logs:
        [progress] = groups.describe(stream, [stream]).progress
        [log] = logs.newest()
    row = log.records[-1].value if log.records else None
    return progress.end, progress.committed, row, log.end


# Killed at a place: what Kafka has then, and at rest after the next start. The table's topic has
# one more offset for each transaction.
KILLS = {
    "at_least_once": (
        "acknowledged",
        (2, 1, b'{"Clicks":2}', 2),
        (2, 2, b'{"Clicks":3}', 3),
        {"clicks": 2, "counted": 3, "lost": 0, "twice": 1},
    ),
    "exactly_once": (
        "acknowledged",
        (2, 1, b'{"Clicks":1}', 3),
        (2, 2, b'{"Clicks":2}', 6),
        {"clicks": 2, "counted": 2, "lost": 0, "twice": 0},
    ),
    "at_most_once": (
        "committed",
        (2, 2, b'{"Clicks":1}', 1),
        (2, 2, b'{"Clicks":1}', 1),
        {"clicks": 2, "counted": 1, "lost": 1, "twice": 0},
    ),
}


@cases("guarantee", ["at_most_once"], ["at_least_once", "exactly_once"])
def test_a_kill_between_two_steps_shows_the_guarantee(cluster, steps, guarantee):
    place, killed, after, figures = KILLS[guarantee]
    steps.choose(guarantee)
    steps.press("click")
    for stop in STOPS[guarantee]:
        wait_place(steps, stop)
        assert steps.data["figures"]["lost"] is steps.data["figures"]["twice"] is None
        steps.press("step")
    wait_place(steps, None)
    stream = steps.program.graph.topics[0]
    wait_figures(steps, clicks=1, counted=1, lost=0, twice=0)
    steps.press("click")
    for stop in STOPS[guarantee]:
        wait_place(steps, stop)
        if stop == place:
            break
        steps.press("step")
    assert kafka(cluster, stream) == killed
    steps.press("kill")
    wait_until("it is dead", lambda: not steps.program.running)
    assert kafka(cluster, stream) == killed
    dead = steps.program
    steps.press("start")
    wait_until("it is started", lambda: steps.program is not dead)
    if guarantee != "at_most_once":
        wait_place(steps, "in hand")
        assert steps.program.last_stop["offset"] == 1
    steps.press("run")
    wait_place(steps, None)
    assert kafka(cluster, stream) == after
    wait_figures(steps, **figures)


@pytest.mark.long
def test_it_runs_without_stops_and_stands_again_at_the_next_step(steps):
    for _ in range(3):
        steps.press("click")
    wait_place(steps, "in hand")
    assert steps.program.last_stop["offset"] == 0
    steps.press("run")
    wait_figures(steps, clicks=3, counted=3, lost=0, twice=0)
    steps.press("step")
    steps.press("click")
    wait_place(steps, "in hand")
    assert steps.program.last_stop["offset"] == 3
    assert steps.program.stop(30) == 0, "an orderly stop finishes the message in hand"
    wait_figures(steps, clicks=4, counted=4, lost=0, twice=0)
    assert "dead" in steps.data["says"]
