"""The exercises of notebook 07."""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from typing import Any

from clicklib.codec import Codec
from clicklib.lessons.exercise import Verdict, chosen, exercise, not_yet, solved


@exercise(
    "07.1",
    hints=(
        "Look at the offsets of partition 8 in the table above. Are they numbered anew?",
        "Compaction removes messages. It does not change where the partition ends.",
    ),
    solution="answer = 3",
    because="The next offset is the last offset plus one. Compaction does not change this.",
)
def next_offset(answer: int, left: int, last: int, offset: int) -> Verdict:
    """Predict the next offset."""
    outcome = (
        f"Partition 8 had {left} messages, and the last one had offset {last:,}. "
        f"The new message has offset {offset:,}."
    )
    hints = {
        1: "Offsets do not count the messages that are left.",
        2: "A hole stays a hole: its offset is not used again.",
    }
    return chosen(answer, 3 if offset == last + 1 else nan, outcome, hints)


@exercise(
    "07.2",
    hints=(
        "A tombstone has the value None. Ask for it first: `if value is None:`.",
        "`rows.pop(key, None)` removes a key, and does nothing if the key is not there.",
    ),
    solution='''
def rebuild(messages):
    """The rows of a table, from the keys and values of its messages in their order."""
    rows = {}
    for key, value in messages:
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = decode(value)
    return rows
''',
    because="The last message of a key decides: a value is its row, a tombstone means no row.",
)
def with_tombstones(
    rebuild: Callable[[list[tuple[str, bytes | None]]], dict[str, Any]],
    messages: list[tuple[str, bytes | None]],
    codec: Codec,
) -> Verdict:
    """Rebuild a table that has tombstones."""
    rows = rebuild(list(messages))
    if not isinstance(rows, dict):
        return not_yet("Your function has to return the dict `rows`.")
    outcome = f"From {len(messages)} messages your function made {len(rows)} rows."
    if any(isinstance(value, bytes) for value in rows.values()):
        return not_yet("A row is still bytes. Decode it: `decode(value)`.", outcome)
    if None in rows.values():
        return not_yet("A row is None. Remove its key from `rows`.", outcome)
    if "user-3" in rows:
        return not_yet("user-3 has left, and still has a row: an old one.", outcome)
    wanted = {key: codec.decode(value) for key, value in messages if value is not None}
    wanted.pop("user-3", None)
    if rows != wanted:
        return not_yet("The other nine users should have their last counts.", outcome)
    try:
        rebuild([("user-3", None)])
    except KeyError:
        return not_yet(
            "Compaction may have removed the old messages of user-3. Then the tombstone is the "
            "first message of its key, and there is no row to remove.",
            outcome,
        )
    return solved(outcome)
