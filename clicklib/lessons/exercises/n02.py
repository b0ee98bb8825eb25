"""The exercises of notebook 02."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from clicklib import Input, Json, Persist, String, Tester, define_group
from clicklib.lessons.exercise import Verdict, chosen, exercise, not_yet, solved


@exercise(
    "02.1",
    hints=(
        "`ctx.value()` makes a new object from the bytes in the table at each call.",
        "A change of this object stays in the object. Who writes the new bytes to the table?",
        "`ctx.set_value` writes them, and this callback does not call it.",
    ),
    solution="row = 3",
    because="Each call counted to 1 in an object of its own, and no call wrote a row.",
)
def row_without_set_value(row: int, found: Any, handled: int, written: int) -> Verdict:
    """Predict the table without set_value."""
    outcome = (
        f"The group has handled {handled} clicks and written {written} rows. "
        f"`get` returned {found!r}."
    )
    right = 3 if found is None else 2 if found.clicks == 1 else 1
    hints = {
        1: "This is the row of the first group, whose callback sets it.",
        2: "The object had `clicks=1`. Did anybody put it into the table?",
        3: "The table has a row. Which line has written it?",
    }
    return chosen(row, right, outcome, hints)


@exercise(
    "02.2",
    hints=(
        "Each group has its own committed offsets and its own table.",
        "The new group has committed nothing, so it reads all clicks. Its table is empty before.",
        "It counts two for each click, and it writes to its own table only.",
    ),
    solution="""
tables = {
    "first group": processor.get("user-3").clicks,
    "new group": 2 * processor.get("user-3").clicks,
}
""",
    because="The new group read every click again, and nobody wrote to the first group's table.",
)
def both_tables(tables: dict[str, int], found: dict[str, int]) -> Verdict:
    """Predict both tables."""
    outcome = f"The tables say {found}."
    if not isinstance(tables, dict) or set(tables) != set(found):
        return not_yet(f"Keep the names {' and '.join(map(repr, found))}.", outcome)
    if tables == found:
        return solved(outcome)
    first, new = found["first group"], found["new group"]
    if tables["first group"] != first:
        return not_yet("Has the new group written to the table of the first group?", outcome)
    if not tables["new group"]:
        return not_yet("A new group begins with the oldest message, not with the next.", outcome)
    if tables["new group"] == first:
        return not_yet("In the new group each click counts two.", outcome)
    if tables["new group"] == first + new:
        return not_yet("The new group has a table of its own. Which rows has it before?", outcome)
    return not_yet("The new group counts two for each click that user-3 has ever made.", outcome)


@exercise(
    "02.3",
    hints=(
        "Before the first click `visit.first` is the empty text.",
        "Keep `visit.first` if it is not empty; else take `msg`.",
        "In Python `a or b` is `a`, and `b` if `a` is empty.",
    ),
    solution='''
def process_visit(ctx, msg):
    """Count a click, and keep the message of the first one."""
    visit = ctx.value() or Visit()
    visit.clicks += 1
    visit.first = visit.first or msg
    ctx.set_value(visit)
''',
    because="At the first click `first` is empty and gets the message; later it stays as it is.",
)
def first_click(process_visit: Callable[..., Any], row: type[Any]) -> Verdict:
    """Keep the time of the first click."""
    edges = Input("user-clicks", String(), process_visit), Persist(Json(row))
    tester = Tester(define_group("visits", *edges))
    for user, time in (("user-3", "12:00"), ("user-0", "12:10"), ("user-3", "12:30")):
        tester.consume("user-clicks", user, time)
    visit = tester.table_value("user-3")
    if visit is None:
        return not_yet("There is no row. Does your function call `ctx.set_value`?")
    found = msgspec.to_builtins(visit)
    outcome = f"user-3 clicked at 12:00 and at 12:30. The row is {found}."
    if found == {"clicks": 2, "first": "12:00"}:
        return solved(outcome)
    if found.get("first") == "12:30":
        return not_yet("This is the last click: the second click has replaced the first.", outcome)
    if not found.get("first"):
        return not_yet("Nothing has put the message into `first`.", outcome)
    if found.get("clicks") != 2:
        return not_yet("The row should have 2 clicks.", outcome)
    return not_yet("`first` should be the message of the first click, 12:00.", outcome)
