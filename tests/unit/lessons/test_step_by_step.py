"""One click, step by step: what is said, where the click is, and when the balance is known."""

from __future__ import annotations

from typing import Any

import pytest

from clicklib.lessons.step_by_step import ORDER, STOPS, balance, places, says
from clicklib.lessons.stepped import Kept

THIRD = {"stop": 7, "key": "user-3", "offset": 2, "before": {"Clicks": 2}, "after": None}
CALLED = {**THIRD, "after": {"Clicks": 3}}
FIRST = {"stop": 1, "key": "user-3", "offset": 0, "before": None, "after": None}


@pytest.mark.parametrize("guarantee", STOPS)
def test_at_each_stop_it_says_where_it_is_and_what_comes_next(guarantee: str) -> None:
    said = [says(guarantee, "standing", {**THIRD, "place": p}, None) for p in STOPS[guarantee]]
    assert len(set(said)) == len(said) == 3
    assert all("Next step: it " in each for each in said)
    assert "offset 2" in said[0]


@pytest.mark.parametrize(
    ("state", "kept", "wanted"),
    [
        ("starting", None, "starts"),
        ("free", None, "works"),
        ("free", Kept(3, 2, 2), "works"),
        ("free", Kept(3, 3, 3, settled=False), "works"),
        ("free", Kept(3, 3, 3), "waits for a click"),
        ("dead", Kept(3, 3, 3), "dead"),
    ],
)
def test_without_a_stop_it_says_what_it_does(state: str, kept: Kept | None, wanted: str) -> None:
    assert wanted in says("at_least_once", state, None, kept)


def found(*arguments: Any) -> dict[str, tuple[str | None, bool | None]]:
    return {name: (value, come) for name, value, come in places("at_least_once", *arguments)}


@pytest.mark.parametrize(
    ("state", "stop", "kept", "row", "come"),
    [
        # in this order: stream, memory, table, view, offset
        ("standing", THIRD, Kept(3, 2, 2), {"Clicks": 2}, (True, False, False, False, False)),
        ("standing", CALLED, Kept(3, 2, 2), {"Clicks": 2}, (True, True, False, False, False)),
        ("standing", CALLED, Kept(3, 2, 3), {"Clicks": 2}, (True, True, True, False, False)),
        ("free", CALLED, Kept(3, 3, 3), {"Clicks": 3}, (True, None, True, True, True)),
        ("dead", CALLED, Kept(3, 2, 3), {"Clicks": 3}, (True, False, True, True, False)),
        ("standing", FIRST, Kept(1, 0, 0), {}, (True, False, False, False, False)),
        # A click that came before this one, or after it, says nothing about this one.
        ("free", THIRD, Kept(9, 9, 9), {"Clicks": 9}, (True, None, None, None, True)),
        ("free", None, Kept(9, 9, 9), {"Clicks": 9}, (None,) * 5),
    ],
)
def test_the_click_is_where_kafka_the_view_and_the_processor_have_it(
    state: str, stop: Any, kept: Kept, row: Any, come: tuple[bool | None, ...]
) -> None:
    assert tuple(each for _, each in found(state, stop, kept, row).values()) == come


def test_what_is_not_known_is_none() -> None:
    unknown = found("free", THIRD, None, None)
    assert list(unknown) == list(ORDER["at_least_once"])
    assert set(unknown.values()) == {(None, None)}
    assert found("dead", None, None, None)["memory"] == ("gone", False)


def test_what_an_open_transaction_holds_is_not_counted() -> None:
    texts = found("standing", CALLED, Kept(3, 2, 2, open=True), {"Clicks": 2})
    assert texts["table"] == ("2 clicks, 1 in an open transaction", False)
    assert texts["offset"] == ("2, 1 in an open transaction", False)


@pytest.mark.parametrize(
    ("kept", "state", "lost", "twice"),
    [
        (Kept(3, 3, 3), "free", 0, 0),
        (Kept(3, 3, 4), "free", 0, 1),
        (Kept(3, 3, 2), "dead", 1, 0),
        (Kept(3, 3, 2), "standing", None, None),  # the row may still come
        (Kept(3, 3, 2), "starting", None, None),
        (Kept(3, 3, 2, settled=False), "free", None, None),
        (Kept(3, 2, 3), "dead", None, None),  # one comes again
        (Kept(3, 3, 3, open=True), "free", None, None),
        (None, "free", None, None),
    ],
)
def test_lost_and_twice_are_known_only_at_rest(
    kept: Kept | None, state: str, lost: int | None, twice: int | None
) -> None:
    sums = balance(kept, state)
    assert (sums["lost"], sums["twice"]) == (lost, twice)
    assert (sums["clicks"], sums["counted"]) == (kept[:3:2] if kept else (None, None))
