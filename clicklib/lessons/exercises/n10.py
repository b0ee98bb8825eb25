"""The exercises of notebook 10."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

from clicklib.clicks import User
from clicklib.lessons.exercise import Verdict, exercise, not_yet, solved


@exercise(
    "10.1",
    hints=(
        "`user-3` has a row with 41 before the first message.",
        "`ctx.delete()` removes the row. The next click of this user begins at 1 again.",
        "A user whose last message is `leave` has no row.",
    ),
    solution='predicted = {"user-3": 1, "user-4": None}',
    because="`user-3` left, and came back with one click. `user-4` clicked once and left.",
)
def rows(predicted: dict[str, Any], table: dict[str, User]) -> Verdict:
    """Predict the rows of two users."""
    said = {user: getattr(value, "clicks", value) for user, value in predicted.items()}
    found = {user: row.clicks for user, row in table.items()}
    outcome = f"The table has {found}, and no other row."
    if {user: number for user, number in said.items() if number is not None} == found:
        return solved(outcome)
    wrong = [user for user in sorted({*said, *found}) if said.get(user) != found.get(user)]
    hint = _TYPICAL.get((wrong[0], said.get(wrong[0])))
    return not_yet(hint or f"Look again at the messages of {wrong[0]}, one by one.", outcome)


_TYPICAL = {
    ("user-3", 42): "`user-3` left before the click. What does `ctx.delete()` do to the row?",
    ("user-3", 41): "`user-3` left, and clicked after that.",
    ("user-3", None): "`user-3` clicked once more after `leave`.",
    ("user-4", 0): "A user who has left has no row at all, not a row with 0. Answer with None.",
    ("user-4", 1): "`user-4` left after the click.",
    ("user-4", 2): "The message `leave` is no click, and it removes the row.",
}


@exercise(
    "10.2",
    hints=(
        "After how many clicks of one user does the table have another number than the `Counter`?",
        "After three clicks both have 3. What do they have after one more click?",
    ),
    solution="shortest = 4",
    because="The fourth click of one user is the first one that is not counted.",
)
def shortest_list(shortest: int, error: Exception | str) -> Verdict:
    """Predict the shortest list that fails."""
    failing = re.search(r"\[.*?\]", str(error))
    if failing is None:
        return not_yet(f"Hypothesis found no list that fails: {error}. Run the cell above again.")
    found = len(ast.literal_eval(failing[0]))
    outcome = f"The shortest list that Hypothesis found: {failing[0]}."
    if isinstance(shortest, list):
        shortest = len(shortest)
    if shortest == found:
        return solved(outcome)
    if not isinstance(shortest, int):
        return not_yet("Answer with the number of clicks in the list.", outcome)
    if shortest == found - 1:
        return not_yet(f"After {shortest} clicks of one user the table is still right.", outcome)
    if shortest > found:
        return not_yet("A shorter list fails too. All its clicks are of one user.", outcome)
    return not_yet("So few clicks are all counted.", outcome)


@exercise(
    "10.3",
    hints=(
        "There are two cases: `msg` is `leave`, or it is a click.",
        "After `leave` the number is 0, and the last line removes such users. "
        "After a click it is one more than before.",
        'Write both cases in one expression: `… if msg == "leave" else …`.',
    ),
    solution='''
def expected(history):
    """The clicks of each user after a list of (user, message)."""
    counts = Counter()
    for user, msg in history:
        counts[user] = 0 if msg == "leave" else counts[user] + 1
    return {user: count for user, count in counts.items() if count > 0}
''',
    because="A user who leaves has no clicks any more, and begins at 1 when he or she comes back.",
)
def model(
    expected: Callable[..., Any], property: Callable[[Callable[..., Any]], Exception | str]
) -> Verdict:
    """Write a model for users who leave."""
    result = property(expected)
    if result == "passed":
        return solved("The property is true for all histories that Hypothesis tried.")
    if not isinstance(result, AssertionError):
        assert isinstance(result, Exception)
        raise result
    outcome = str(result)
    if expected([("user-0", "leave")]) == {"user-0": 1}:
        return not_yet("Your function counts `leave` as a click.", outcome)
    if expected([("user-0", "leave")]) == {"user-0": 0}:
        return not_yet("A user who has left has no row, so remove this user.", outcome)
    if expected([("user-0", "now"), ("user-0", "leave")]) == {"user-0": 1}:
        return not_yet("Your function keeps the clicks of a user who leaves.", outcome)
    if expected([("user-0", "now"), ("user-0", "now")]) == {"user-0": 1}:
        return not_yet("Your function does not add up the clicks of a user.", outcome)
    return not_yet("Your function and the table differ for this history.", outcome)
