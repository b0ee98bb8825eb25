"""Answers to the exercises of notebook 13."""

from tests.notebooks.answers import Answers


def counted_by(member: str) -> str:
    return f"def counted_by(user, owners):\n    return {member}"


def idle(number: str) -> str:
    return f"def idle(members):\n    return {number}"


ANSWERS = {
    1: Answers(
        wrong={
            counted_by("owners[0]"): "the same member for every user",
            counted_by("owners[int(user[-1])]"): "The hash of the whole name decides",
            counted_by("owners[(int(user[-1]) + 1) % 10]"): "name another member",
            counted_by("owners[user]"): "KeyError",
        },
        right=(
            counted_by("owners[partition_of(user.encode(), 10)]"),
            counted_by("owners[partition_of(bytes(user, 'utf-8'), clicks.PARTITIONS)]"),
            counted_by("owners[partition_of(user.encode(), len(owners))]"),
        ),
    ),
    2: Answers(
        wrong={
            idle("members - 10"): "Fewer than none?",
            idle("0"): "How many members share ten partitions",
            idle("members"): "could have a partition",
        },
        right=(
            idle("max(0, members - 10)"),
            idle("members - min(members, 10)"),
            idle("members - clicks.PARTITIONS if members > clicks.PARTITIONS else 0"),
        ),
    ),
}
