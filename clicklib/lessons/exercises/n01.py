"""The exercises of notebook 01."""

from __future__ import annotations

import json
from math import nan
from typing import Any

from clicklib.lessons.exercise import Verdict, chosen, exercise, not_yet


@exercise(
    "01.1",
    hints=(
        "The line says `clicks: 7` when the user has made 7 clicks in all.",
        "So one line is enough: the last one. `mine.clicks.iloc[0]` is the count in the first.",
    ),
    solution="total = mine.clicks.iloc[-1]",
    because="Each line has the whole count so far, so the last line has the answer.",
)
def clicks_in_lines(total: Any, counts: list[int]) -> Verdict:
    """Get the user's clicks from the lines."""
    shown = ", ".join(map(str, counts[-4:]))
    outcome = f"The newest lines of this user show the counts {shown}."
    if getattr(total, "shape", ()) or isinstance(total, str | bytes):
        return not_yet("The answer is one number.", outcome)
    hints = {
        counts[0]: "This is the oldest line. The user has clicked again since then.",
        len(counts): "You have counted the lines of this demo. The user had clicks before it "
        "started.",
        sum(counts): "You have added the counts. Does a line show one click, or all clicks so far?",
    }
    return chosen(total, counts[-1], outcome, hints, "No line says that this is the newest count.")


@exercise(
    "01.2",
    hints=(
        "The endpoint answers from the rows of the view. Who makes the row of a user?",
        "The processor makes a row at the first click. `user-99` has no row.",
    ),
    solution="unknown = 2",
    because="Without a click there is no row, and an answer for a row that is not there is 404.",
)
def unknown_user(unknown: int, response: tuple[int, bytes]) -> Verdict:
    """Predict the answer for an unknown user."""
    code, body = response
    outcome = f"The endpoint answered immediately, with the code {code} and the body {body!r}."
    right = 1 if code == 200 and json.loads(body)["Clicks"] == 0 else 2 if code == 404 else nan
    hints = {
        1: "The view has no row for this user, so it has no 0 either.",
        2: f"The code was {code}, not 404. Has somebody clicked for user-99?",
        3: "The endpoint does not wait: it answers with what the view has now.",
    }
    return chosen(unknown, right, outcome, hints)


@exercise(
    "01.3",
    hints=(
        "The count is not in the program. Who else has it when the program has ended?",
        "The table is in Kafka. A processor reads the table before it counts.",
        "The users of the demo click by its emitter, and the emitter was stopped as well.",
    ),
    solution="first_count = 2",
    because="The rows and the committed offsets are in Kafka, and the new processor went on there.",
)
def first_line(first_count: int, old: Any, new: Any) -> Verdict:
    """Predict the first line after a restart."""
    user, now = new.user.iloc[0], int(new.clicks.iloc[0])
    last = old.clicks[old.user == user].max()  # not a number if another program counted it
    said = f"the last line of {user} had the count {last}" if last == last else "no line of it"
    outcome = f"Before the stop: {said}. After the start the first line is {user}, count {now}."
    right = 1 if now == 1 else 3 if now > last + 1 else 2
    hints = {
        1: "The program is new. Is the table new too?",
        2: "Compare the two counts.",
        3: "Who sends the clicks? Was that part running?",
    }
    return chosen(first_count, right, outcome, hints)
