"""The exercises of notebook 08."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clicklib import Input, Json, Persist, String, Tester, define_group
from clicklib.lessons.exercise import Verdict, chosen, exercise, not_yet, solved

Numbers = dict[str, int]


@exercise(
    "08.1",
    hints=(
        "The row in the table says 3. Is the third click in it?",
        "The group has committed 2 clicks. Which click does the second processor read first?",
        "It reads the third click again, and adds 1 to the row that it finds.",
    ),
    solution="predicted = 4",
    because="The row already had the third click, and the committed offset said to read it again.",
)
def after_the_kill(predicted: int, found: Numbers) -> Verdict:
    """Predict the count after a kill."""
    clicked, counted = found["clicked"], found["counted"]
    outcome = f"Clicks in the stream: {clicked}. Clicks in the table after the kill: {counted}."
    hints = {
        clicked: "Right, if the third click were not read again. Which offset was committed?",
        clicked - 1: "The row of the third click was in Kafka. A kill removes no row.",
    }
    begin = "Begin with the row that the second processor finds."
    return chosen(predicted, counted, outcome, hints, begin)


@exercise(
    "08.2",
    hints=(
        "A click is counted twice if its row is written and its offset is not committed.",
        "The processor may finish its work before it ends. What would you do in its place?",
    ),
    solution="repeated = 0",
    because="Before it ends, the processor writes its rows and commits the clicks.",
)
def after_a_clean_stop(repeated: int, before: Numbers, after: Numbers) -> Verdict:
    """Predict the count after a clean stop."""
    new = {name: after[name] - before[name] for name in after}
    twice = new["counted"] - new["clicked"]
    outcome = f"New clicks: {new['clicked']}. Counted: {new['counted']}. So {twice} counted twice."
    hints = {
        1: "After a kill it was one click. But now the processor may finish its work.",
        5: "Then all five were handled, and none committed. Does a clean stop forget its work?",
    }
    compare = "Compare how much `clicked` and `counted` have grown."
    return chosen(repeated, twice, outcome, hints, compare)


@exercise(
    "08.3",
    hints=(
        '`row["Offset"]` is the offset of the last click in the row.',
        "Offsets grow. A click that is not in the row has a higher offset than the row's.",
        "Compare both offsets. Between two clicks of one user there may be clicks of others.",
    ),
    solution='''
def count_once(ctx, msg):
    """Add a click to its user's row, but never the same click again."""
    row = ctx.value() or {"Clicks": 0, "Offset": -1}
    is_new = ctx.offset > row["Offset"]
    if is_new:
        ctx.set_value({"Clicks": row["Clicks"] + 1, "Offset": ctx.offset})
''',
    because="A click that comes again has an offset that is not higher than the one in the row.",
)
def idempotent(
    count_once: Callable[[Any, Any], None], replay: Callable[..., dict[str, Any]]
) -> Verdict:
    """Write a callback that counts each click once."""
    # First without Kafka: that is quick, and an error in the callback is shown with its line.
    once = define_group("once", Input("clicks", String(), count_once), Persist(Json(dict)))
    tester = Tester(once)
    tester.consume("clicks", "user-3", "now")
    if tester.table_value("user-3") is None:
        return not_yet("A user's first click has offset 0, and the row begins with -1. Is it new?")
    rows = replay(count_once)
    found = {user: row["Clicks"] for user, row in rows.items()}
    outcome = f"Each of the four clicks came twice, and the table has {found}."
    if found == RIGHT:
        return solved(outcome)
    if any(found.get(user, 0) < clicks for user, clicks in RIGHT.items()):
        return not_yet(
            "Clicks are missing. Between two clicks of a user there may be clicks of others: the "
            "next offset is not always the row's offset plus 1.",
            outcome,
        )
    if found == {"user-3": 4, "user-1": 2}:
        return not_yet(
            "Only the last click of each user was counted again. Is a click new if its offset is "
            "the same as the one in the row?",
            outcome,
        )
    return not_yet(
        "A click that comes again looks new. Its offset is never higher than the row's.", outcome
    )


RIGHT = {"user-3": 3, "user-1": 1}
