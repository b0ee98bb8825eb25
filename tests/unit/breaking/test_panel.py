"""The panel's rules: bounded faults, one at a time, an undo, and nothing left when it is closed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from clicklib import Cluster
from clicklib.breaking import BreakingPanel, panel
from clicklib.breaking.faults import fault
from clicklib.errors import UsageError
from tests.unit.widgets.fakes import names
from tests.waiting import wait_until


class Target:
    """A target that notes what is done to it."""

    kind, state, slow_users = "processor", "runs", ("user-3", "user-4")

    def __init__(self, reason: str = "") -> None:
        self.done: list[str] = []
        self.reason = reason

    def impossible(self, fault: str) -> str:
        return self.reason

    @fault("Hurt", "hurt", 30, "Undo")
    def hurt(self) -> None:
        """It hurts at each click of `slow_users`."""
        self.done.append("hurt")

    @fault("Hurt a moment", "hurt", 0.02, "Undo")
    def hurt_a_moment(self) -> None:
        """It hurts."""
        self.done.append("hurt")

    @fault("Fail", "broken", 30, "Undo")
    def fail(self) -> None:
        """It fails."""
        raise OSError("no such process")

    def heal(self) -> None:
        self.done.append("heal")


class Broker(Target):
    kind = "broker"

    @fault("Hurt", "hurt", 30, "Undo")
    def hurt(self) -> None:
        """It hurts."""


def made(*targets: Target, **options: Any) -> BreakingPanel:
    return BreakingPanel([*targets], **options)  # type: ignore[list-item]


def on(picture: BreakingPanel) -> list[str]:
    picture.paint()
    return [each["on"] for each in picture.data["targets"]]


def test_a_fault_begins_is_marked_and_ends_by_itself_or_by_a_second_press() -> None:
    target, marks = Target(), []
    picture = made(target, ledger=SimpleNamespace(mark=marks.append))
    assert picture.data["buttons"]["processor"][0]["expect"].endswith("click of user-3 and user-4.")
    picture.press("hurt_a_moment")
    wait_until("it is healed", lambda: on(picture) == [""] and target.done == ["hurt", "heal"])
    assert picture.data["told"] == "processor 1 was hurt, and is healed"
    picture._heard(None, {"press": "hurt", "target": 0}, [])
    wait_until("it has begun", lambda: on(picture) == ["hurt"] and len(marks) == 2)
    assert 28 <= picture.data["targets"][0]["left"] <= 30
    picture.press("hurt_a_moment")  # another one does nothing
    picture.press("hurt")
    wait_until("it is healed", lambda: on(picture) == [""])
    assert target.done == ["hurt", "heal"] * 2
    assert marks == ["processor 1 hurt"] * 2


def test_one_fault_at_a_time_of_a_target_and_of_all_brokers() -> None:
    picture = made(Target(), Target(), Broker(), Broker())
    for number in (0, 2, 3):
        picture.press("hurt", number)
    assert on(picture) == ["hurt", "", "hurt", ""]
    first, second, _, other = picture.data["targets"]
    assert first["off"]["fail"] == "One fault at a time."
    assert second["off"]["hurt"] == ""
    assert other["off"]["hurt"] == "One broker at a time."
    assert [each["name"] for each in picture.data["targets"]][1:3] == ["processor 2", "broker 1"]


def test_what_is_impossible_does_nothing_and_says_why() -> None:
    picture = made(Target("It has ended."))
    picture.press("hurt")
    assert on(picture) == [""]
    assert picture.data["targets"][0]["off"]["hurt"] == "It has ended."


def test_a_fault_that_fails_is_told_and_healed() -> None:
    target = Target()
    picture = made(target)
    picture.press("fail")
    wait_until("it is healed", lambda: on(picture) == [""] and target.done == ["heal"])
    assert picture.data["error"] == "processor 1 is not broken: no such process"
    picture.press("hurt")
    wait_until("the error is forgotten", lambda: on(picture) == ["hurt"] and not picture._error)


@pytest.mark.parametrize("end", ["close", "rest"])
def test_at_its_end_every_fault_is_healed_and_no_thread_is_left(end: str) -> None:
    targets = [Target(), Broker()]
    picture = made(*targets)
    for number in range(2):
        picture.press("hurt", number)
    getattr(picture, end)()
    getattr(picture, end)()
    wait_until("all are healed", lambda: all("heal" in each.done for each in targets))
    wait_until("no thread is left", lambda: names() == [])
    picture.press("hurt")
    assert names() == []
    if end == "rest":
        assert {*picture.data["targets"][0]["off"].values()} == {"Everything is stopped."}


def test_nothing_is_sent_when_nothing_changes() -> None:
    picture, sent = made(Target()), []
    picture.observe(sent.append, "data")
    for _ in range(3):
        picture.paint()
    assert sent == []


@pytest.mark.parametrize("of", [list, Cluster])
def test_each_of_several_brokers_has_buttons(of: Any) -> None:
    picture = BreakingPanel([], of(["127.0.0.1:1", "127.0.0.1:2"]))
    assert [each["name"] for each in picture.data["targets"]] == ["broker 1", "broker 2"]


def test_a_single_broker_has_no_buttons() -> None:
    with pytest.raises(UsageError, match="one of several brokers"):
        BreakingPanel([], "127.0.0.1:9092")
    assert [each.kind for each in panel._brokers(("a:1", "b:1"))] == ["broker", "broker"]
