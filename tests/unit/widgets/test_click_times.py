"""A click, timed: what its stretches are, and what is not known."""

from __future__ import annotations

from typing import Any

import pytest

from clicklib.widgets.click_times import STRETCHES, median, stretches

MARKS = {
    "pressed": 10.0,
    "encoding": 10.001,
    "encoded": 10.002,
    "emitted": 10.004,
    "acknowledged": 10.012,
    "fetched": 10.010,
    "decoded": 10.011,
    "handled": 10.015,
    "stored": 10.025,
    "seen": 10.035,
    "drawn": 10.235,
}
LASTED = {
    "taken up": (0, 1),
    "encoded": (1, 1),
    "handed over": (2, 2),
    "acknowledged": (4, 8),
    "fetched": (4, 6),
    "decoded": (10, 1),
    "callback": (11, 4),
    "row stored": (15, 10),
    "seen": (15, 20),
    "drawn": (35, 200),
}


def by_name(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in found}


def test_each_stretch_has_its_begin_and_its_milliseconds() -> None:
    found = by_name(stretches(MARKS, [MARKS]))
    assert {name: (each["begin"], each["ms"]) for name, each in found.items()} == LASTED
    assert {name: each["median"] for name, each in found.items()} == {
        name: ms for name, (_, ms) in LASTED.items()
    }


def test_all_marks_are_used_and_each_stretch_says_what_it_holds() -> None:
    assert {mark for _, begin, end, _ in STRETCHES for mark in (begin, end)} == set(MARKS)
    assert all(what for *_, what in STRETCHES)


def test_what_was_not_noted_is_unknown_and_not_zero() -> None:
    marks = {name: when for name, when in MARKS.items() if name not in ("fetched", "drawn")}
    found = by_name(stretches(marks, [MARKS, marks]))
    assert found["fetched"]["ms"] is found["decoded"]["begin"] is found["drawn"]["ms"] is None
    assert found["drawn"]["median"] == 200
    empty = by_name(stretches({}, []))
    assert {each["ms"] for each in empty.values()} == {None}
    assert {each["median"] for each in empty.values()} == {None}


@pytest.mark.parametrize(
    ("found", "wanted"),
    [([], None), ([None], None), ([0.0], 0), ([None, 3.0], 3), ([1.0, 9.0, 2.0], 2)],
)
def test_the_median_is_of_what_is_known(found: list[float | None], wanted: float | None) -> None:
    assert median(found) == wanted
