"""The exercises of notebook 00."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clicklib import Tester, clicks
from clicklib.lessons.exercise import Verdict, chosen, exercise, not_yet, solved


@exercise(
    "00.1",
    hints=(
        "`emit_sync` returned a partition and an offset. Who gives a message its offset?",
        "Kafka gives the offset when it has stored the message. The processor was stopped.",
    ),
    solution="answer = 2",
    because="Kafka had stored the message in the stream. There it waited for a reader.",
)
def where_it_waits(answer: int, place: tuple[int, int], waiting: int) -> Verdict:
    """Where did the click wait?"""
    outcome = (
        f"The message was at offset {place[1]} of partition {place[0]} of the stream. "
        f"Messages in the stream that the group had not read: {waiting}."
    )
    hints = {
        1: "The count went up when the processor was back. Was the click lost?",
        3: "The emitter had an answer from Kafka. Does it still hold the click?",
    }
    return chosen(answer, 2, outcome, hints)


@exercise(
    "00.2",
    hints=(
        "`ctx.key` is the user's name, for example `user-3`.",
        "Add 2 instead of 1 when `ctx.key` is `user-0`.",
        "The last line has to put the changed user back: `ctx.set_value(user)`.",
    ),
    solution='''
def count_bonus(ctx, msg):
    """Add one click to the user, two to user-0."""
    user = ctx.value() or clicks.User()
    user.clicks += 2 if ctx.key == "user-0" else 1
    ctx.set_value(user)
''',
    because="The key of the message says which user clicked. All other lines stay as they were.",
)
def bonus(count_bonus: Callable[..., Any]) -> Verdict:
    """Let a click of user-0 count twice."""
    tester = Tester(clicks.graph(count_bonus))
    for user in ("user-0", "user-3"):
        tester.consume(clicks.TOPIC, user, "now", times=3)
    table = {user: tester.table_value(user) for user in ("user-0", "user-3")}
    if None in table.values():
        return not_yet("A user has no row. Does your function call `ctx.set_value(user)`?")
    found = {user: value.clicks for user, value in table.items()}
    outcome = f"After three clicks each the table says {found}."
    if found == {"user-0": 6, "user-3": 3}:
        return solved(outcome)
    if found["user-0"] == 3:
        return not_yet("user-0 gets one for each click, like everybody else.", outcome)
    if found["user-3"] == 6:
        return not_yet("Only user-0 gets two for each click.", outcome)
    return not_yet("user-0 should have 6, and user-3 should have 3.", outcome)
