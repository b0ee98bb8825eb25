"""The exercises of notebook 05."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from clicklib.lessons.exercise import Verdict, exercise, not_yet, solved


@exercise(
    "05.1",
    hints=(
        "Try some names: the box says which partition each of them has.",
        '`partition_of("ada".encode(), 10)` gives the partition of ada. Ask it for many names.',
    ),
    solution="""
names = [f"user-{i}" for i in range(10, 1_000)]
neighbour = next(name for name in names if partition_of(name.encode(), 10) == places["user-3"])
""",
    because="One name in ten is in partition 8, so a search through some names finds one.",
)
def a_neighbour(
    neighbour: str, users: list[str], send: Callable[[str, str], tuple[int, int]]
) -> Verdict:
    """Find a neighbour of user-3."""
    if not isinstance(neighbour, str):
        return not_yet('Answer with a name in quotes, for example "ada".')
    wanted, found = send("user-3", "hello")[0], send(neighbour, "hello")[0]
    outcome = f"{neighbour} has partition {found}, and user-3 has partition {wanted}."
    if neighbour in users:
        return not_yet("This name is one of the ten users. Find another one.", outcome)
    if found != wanted:
        return not_yet("These two partitions are not the same. Try another name.", outcome)
    return solved(outcome)


@exercise(
    "05.2",
    hints=(
        "A thread handles one partition. Which users have the same partition as user-8?",
        "Look at the list of users and partitions near the beginning, or use `places`.",
    ),
    solution='late = {user for user in users if places[user] == places["user-8"]}',
    because="A thread handles all users of its partition, and no user of another partition.",
)
def who_waits(late: Iterable[str], calls: Any) -> Verdict:
    """Predict who has to wait."""
    [place] = calls[calls.user == "user-8"].partition.unique()
    waited = set(calls[calls.partition == place].user)
    ended = calls.groupby("partition").end.max() - calls.begin.min()
    outcome = (
        f"Partition {place} handled {', '.join(sorted(waited))}, and ended after "
        f"{ended[place]:.1f} s. The others ended after at most {ended.drop(place).max():.1f} s."
    )
    if isinstance(late, str) or not all(isinstance(user, str) for user in late):
        return not_yet('Answer with names in braces, for example {"user-8", "user-0"}.', outcome)
    given = set(late)
    if given == waited:
        return solved(outcome)
    if "user-8" not in given:
        return not_yet("user-8 itself is one of them.", outcome)
    if surplus := sorted(given - waited):
        return not_yet(f"{surplus[0]} is in another partition than user-8.", outcome)
    return not_yet("A user is missing: who else is in the partition of user-8?", outcome)


@exercise(
    "05.3",
    hints=(
        "The guard has to let one thread in at a time. Such an object is called a lock.",
        "`threading.Lock` makes locks. Call it, to get one.",
    ),
    solution="guard = threading.Lock()",
    because="While one thread is in the block, the lock makes the others wait.",
)
def one_at_a_time(guard: Any, count_guarded: Callable[[Any], tuple[int, float]]) -> Verdict:
    """Repair the race with a guard."""
    if guard is threading.Lock or isinstance(guard, type):
        return not_yet("This makes a guard. Call it: put () after it.")
    if not hasattr(type(guard), "__enter__"):
        return not_yet("A `with` block cannot use this object. Look for a lock in `threading`.")
    counted, seconds = count_guarded(guard)
    outcome = f"Of 200 clicks the variable counted {counted}, in {seconds:.1f} s."
    if counted == 200:
        return solved(outcome)
    return not_yet("More than one thread is inside at the same time.", outcome)
