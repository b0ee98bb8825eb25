"""The exercises of notebook 03."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError

from clicklib import View
from clicklib.lessons.exercise import Verdict, exercise, not_yet, solved

_PROMISE, _COUNTED = "the promise is done", "the click is counted"
_BAD_REQUEST = "?limit=many"  # the endpoint answers 400: a limit must be a number


@exercise(
    "03.1",
    hints=(
        "Who answers the emitter? Look at the picture at the top.",
        "Kafka answers when it has stored the message. Who would count it?",
    ),
    solution='prediction = {"the promise is done": True, "the click is counted": False}',
    because="Kafka alone makes the promise done. Only a processor counts, and both were stopped.",
)
def promise_alone(prediction: dict[str, bool], found: dict[str, bool]) -> Verdict:
    """Does a promise need a processor?"""
    done, counted = found[_PROMISE], found[_COUNTED]
    outcome = f"After two seconds: {_PROMISE}: {done}; {_COUNTED}: {counted}."
    if not isinstance(prediction, dict) or set(prediction) != set(found):
        return not_yet("Keep the dictionary with its two keys, and replace only the dots.", outcome)
    if not all(isinstance(value, bool) for value in prediction.values()):
        return not_yet("Write True or False in both places.", outcome)
    if prediction == found:
        return solved(outcome)
    if prediction[_PROMISE] != done:
        return not_yet("Who makes the promise done: Kafka, or a processor?", outcome)
    return not_yet("Kafka only stores clicks. Which part counts them, and did it run?", outcome)


@exercise(
    "03.2",
    hints=(
        "Only one kind of HTTPError means that the user has no row.",
        "Compare `error.code` with 404. For every other number use `raise`.",
    ),
    solution='''
def clicks_or_zero(user):
    """The clicks of a user, 0 for one who has no row."""
    try:
        return ask(user)
    except HTTPError as error:
        if error.code != 404:
            raise
        return 0
''',
    because="404 means that there is no such row. Another number means that nobody knows.",
)
def missing_is_zero(clicks_or_zero: Callable[[str], Any], view: View) -> Verdict:
    """Turn a missing user into zero."""
    try:
        found = clicks_or_zero("user-99")
    except HTTPError as error:
        return not_yet(f"For user-99, who has no row, it raised HTTPError {error.code}.")
    outcome = f"For user-99, who has no row, it returned {found!r}."
    if found != 0 or found is False:
        return not_yet("For a user without a row it has to return the number 0.", outcome)
    least, clicked = view.get("user-3").clicks, clicks_or_zero("user-3")
    if not isinstance(clicked, int) or not least <= clicked <= view.get("user-3").clicks:
        return not_yet(f"user-3 has {least} clicks, and it returned {clicked!r}.", outcome)
    try:
        hidden = clicks_or_zero(_BAD_REQUEST)
    except HTTPError as error:
        return solved(f"{outcome} For another error, {error.code}, it raised the error again.")
    return not_yet(
        f"It also hides other errors. The endpoint answers 400, which means bad request, to "
        f"GET /{_BAD_REQUEST}, and your function returned {hidden!r}.",
        outcome,
    )


@exercise(
    "03.3",
    hints=(
        "What does each view still have when it has stopped?",
        "The folder holds the rows, and also the offset up to which each partition was read.",
        "A view in memory has lost everything. It reads messages, not rows: compare both numbers "
        "in the table above.",
    ),
    solution='prediction_of_reads = {"disk": 0, "memory": costs["messages read"]["memory"]}',
    because="The disk keeps rows and offsets, so nothing is new. Memory keeps nothing, so the view "
    "reads the whole topic again, also the older message of each guest.",
)
def second_start(prediction_of_reads: dict[str, int], found: dict[str, int]) -> Verdict:
    """Predict what a second start reads."""
    outcome = (
        f"Messages read at the second start: {found['disk']:,} by the view on the disk, "
        f"{found['memory']:,} by the view in memory."
    )
    if not isinstance(prediction_of_reads, dict) or set(prediction_of_reads) != set(found):
        return not_yet("Keep the dictionary with its two keys, and replace only the dots.", outcome)
    if prediction_of_reads == found:
        return solved(outcome)
    if prediction_of_reads["disk"] != found["disk"]:
        return not_yet("The folder also says up to which offset the rows are known.", outcome)
    if prediction_of_reads["memory"] == found["disk"]:
        return not_yet("Where would the rows in memory be after the view has stopped?", outcome)
    return not_yet("A view reads each message of the topic once, older ones too.", outcome)
