"""The exercises of notebook 13."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clicklib.clicks import PARTITIONS
from clicklib.keys import encode_key, partition_of
from clicklib.lessons.exercise import Verdict, exercise, not_yet, solved

_USERS = [f"user-{i}" for i in range(10)]


@exercise(
    "13.1",
    hints=(
        "`owners` has the member of each partition. Which partition do the clicks of a user go to?",
        "The cell above the exercise computes the partition of a name. Do the same for `user`.",
    ),
    solution='''
def counted_by(user, owners):
    """The member that counts the clicks of a user."""
    return owners[partition_of(user.encode(), clicks.PARTITIONS)]
''',
    because="The user's name decides the partition, and the partition has one owner. Who pressed "
    "the button does not matter.",
)
def who_counts(
    counted_by: Callable[[str, Mapping[int, str]], str], owners: Mapping[int, str]
) -> Verdict:
    """Find the program that counts a user's clicks."""
    places = {user: partition_of(encode_key(user), PARTITIONS) for user in _USERS}
    # In the second group each partition has a member of its own: no answer is right by luck.
    for of in (owners, {partition: f"member {partition}" for partition in range(PARTITIONS)}):
        found = {user: counted_by(user, of) for user in _USERS}
        wrong = [user for user, place in places.items() if found[user] != of[place]]
        if not wrong:
            continue
        if len(set(found.values())) == 1 < len(set(of.values())):
            return not_yet("You name the same member for every user.")
        if all(found[user] == of[int(user[-1])] for user in _USERS):
            return not_yet(
                "The digit in the name is not the partition. The hash of the whole name decides."
            )
        user = wrong[0]
        return not_yet(
            f"The clicks of {user} are in partition {places[user]}, and you name another member "
            "than its owner."
        )
    members = len({owners[place] for place in places.values()})
    return solved(f"The clicks of the ten users are counted by {members} members.")


@exercise(
    "13.2",
    hints=(
        "How many members can have a partition, if there are ten partitions?",
        "With three members nobody is idle. With eleven members one is.",
        "`max(0, number)` is the number, or 0 if the number is negative.",
    ),
    solution='''
def idle(members):
    """The number of members that have no partition."""
    return max(0, members - 10)
''',
    because="A partition belongs to one member. Ten members have one partition each, and the "
    "others have none.",
)
def who_is_idle(idle: Callable[[int], int], members: int, working: int) -> Verdict:
    """Compute how many members are idle."""
    outcome = f"The group had {members} members, and {working} of them had partitions."
    for count in (3, 10, 12, 30):
        found, right = idle(count), max(0, count - PARTITIONS)
        if found == right:
            continue
        if found < 0:
            return not_yet(f"For {count} members you say {found}. Fewer than none?", outcome)
        if found < right:
            return not_yet(
                f"For {count} members you say {found}. How many members share ten partitions then?",
                outcome,
            )
        return not_yet(
            f"For {count} members you say {found}. Each of them could have a partition.", outcome
        )
    return solved(outcome)
