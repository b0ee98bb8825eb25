"""The exercises of notebook 04."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from clicklib.lessons.exercise import Verdict, chosen, exercise, not_yet, solved


@exercise(
    "04.1",
    hints=(
        "Look at the row of `anna`, and at the number of messages that wait.",
        "The click is still in the stream, and its offset was not committed. Who reads it next?",
    ),
    solution="prediction = had + 1",
    because="The click that failed changed no row and was not committed. So it comes again, once.",
)
def nothing_is_lost(prediction: int, before: int, waiting: int, after: int) -> Verdict:
    """What happens to this click?"""
    outcome = f"anna had {before} clicks before the restart, and has {after} now."
    hints = {
        before: "The click that stopped the processor: is it lost, or does it wait?",
        after + 1: "The wrong version read the click too, but it failed. Did it change the row?",
    }
    number = f"Write a number. Messages that waited: {waiting}."
    return chosen(prediction, after, outcome, hints, number)


_FORMATS = {
    b"153": "a plain number",
    b'{"Clicks":153}': "the format of UserCodec",
    b'{"clicks":153}': "the format of the other team",
}
_UNKNOWN = (b'{"klicks":1}', b"{}")


@exercise(
    "04.2",
    hints=(
        "`found` is a dictionary. Which key does it have, `Clicks` or `clicks`?",
        'Ask with `"clicks" in found`.',
        "For the last format use square brackets: `found[...]` raises KeyError for a key that is "
        "not there, `found.get(...)` does not.",
    ),
    solution='''
def decode(data):
    """A user, from any of the three formats."""
    found = json.loads(data)
    if isinstance(found, int):
        return User(found)
    return User(found["clicks"] if "clicks" in found else found["Clicks"])
''',
    because="Each format that you know has its own branch, and square brackets refuse the rest.",
)
def third_format(decode: Callable[[bytes], Any]) -> Verdict:
    """Read a third format."""
    read: dict[bytes, Any] = {}
    for data, name in _FORMATS.items():
        try:
            user = decode(data)
        except (LookupError, TypeError, ValueError) as exc:
            return not_yet(
                f"It does not read {data.decode()}, {name}: {type(exc).__name__}: {exc}",
                _said(read),
            )
        read[data] = getattr(user, "clicks", user)
        if not hasattr(user, "clicks"):
            return not_yet("The function has to return a User.", _said(read))
        if user.clicks != 153:
            return not_yet(f"{data.decode()} is a user with 153 clicks.", _said(read))
    for data in _UNKNOWN:
        try:
            user = decode(data)
        except Exception:  # noqa: S112, any error refuses the row
            continue
        return not_yet(
            f"It turns {data.decode()} into {user!r}. A row that it does not know must raise an "
            "error.",
            _said(read),
        )
    return solved(f"{_said(read)}. It refuses {' and '.join(map(bytes.decode, _UNKNOWN))}.")


def _said(read: dict[bytes, Any]) -> str:
    if not read:
        return ""
    return "Clicks that it reads: " + ", ".join(f"{d.decode()} → {n}" for d, n in read.items())


@exercise(
    "04.3",
    hints=(
        "Which part of the row does `UserCodec.decode` keep?",
        "It returns a `User`, which has only `clicks`. From this user the old version makes the "
        "new row.",
    ),
    solution="prediction_of_row = b'{\"Clicks\":5}'",
    because="UserCodec does not know the field Last, so it cannot write it. The field is lost.",
)
def old_program(prediction_of_row: bytes | str, written: bytes) -> Verdict:
    """What does an old program do to a new row?"""
    outcome = f"The old version has written {written!r}."
    given = prediction_of_row.encode() if isinstance(prediction_of_row, str) else prediction_of_row
    if given == written:
        return solved(outcome)
    try:
        row = json.loads(given)
        clicks = row["Clicks"]
    except (TypeError, ValueError, LookupError):
        return not_yet("Write a row like b'{\"Clicks\":4}', with other numbers.", outcome)
    if "Last" in row:
        return not_yet("Where would the old version keep Last? Its User has only clicks.", outcome)
    if row == json.loads(written):
        return not_yet("Nearly: UserCodec writes no spaces.", outcome)
    return not_yet(f"The row had 4 clicks, then one more was counted, and not {clicks}.", outcome)
