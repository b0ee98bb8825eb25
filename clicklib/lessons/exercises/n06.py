"""The exercises of notebook 06."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clicklib.lessons.exercise import Verdict, exercise, not_yet, solved


@exercise(
    "06.1",
    hints=(
        "The folders of the other nine partitions are still there, and complete.",
        "Partition 8 is read from its first offset to its end offset. `ends[8]` has both.",
    ),
    solution="predicted = ends[8][1] - ends[8][0]",
    because="The view reads all messages of the lost partition, and none of the others.",
)
def lost_partition(predicted: int, to_read: int, ends: dict[int, tuple[int, int]]) -> Verdict:
    """Predict how much the view reads again."""
    outcome = f"The view had to read {to_read:,} offsets."
    if predicted == to_read:
        return solved(outcome)
    if abs(predicted - to_read) <= 2:
        return not_yet("Almost. `user-3` has clicked since: look at the end offset.", outcome)
    if predicted >= 0.9 * sum(end for _, end in ends.values()):
        return not_yet("These are all partitions. Only one has lost its folder.", outcome)
    if abs(2 * predicted - to_read) <= 2:
        return not_yet("Partition 8 has two users. You have counted one.", outcome)
    if predicted in (1, 2, 10):
        return not_yet("The rows are not there any more. The view reads messages.", outcome)
    if predicted == 0:
        return not_yet("Where does the view get the rows of partition 8 from?", outcome)
    return not_yet("Look at the end offset of partition 8.", outcome)


@exercise(
    "06.2",
    hints=(
        "The position passes a marker. In an empty partition it is at the end from the beginning.",
        "Do you need `last_offset`? Compare the position with the end.",
    ),
    solution='''
def is_recovered(last_offset, position, end):
    """Whether the whole partition is read."""
    return position >= end
''',
    because="The position passes over markers. In an empty partition it is at the end already.",
)
def recovered(
    is_recovered: Callable[[int | None, int, int], bool],
    log: Any,
    bounds: dict[int, tuple[int, int]],
) -> Verdict:
    """End a recovery at the right moment."""
    ends = {partition: end for partition, (_, end) in bounds.items()}
    marked, end = int(log[log.partition == 0].offset.max()), ends[0]
    outcome = (
        f"In partition 0 the last message has offset {marked}, and the end offset is {end}. "
        f"Partition 1 is empty: its end offset is {ends[1]}."
    )
    if is_recovered(None, 0, ends[8]):
        return not_yet("It says yes before the first message of partition 8 was read.", outcome)
    if is_recovered(ends[8] - 2, ends[8] - 1, ends[8]):
        return not_yet("It says yes although one message of partition 8 is missing.", outcome)
    if not is_recovered(ends[8] - 1, ends[8], ends[8]):
        return not_yet("It says no although all of partition 8 was read.", outcome)
    if not is_recovered(marked, end, end):
        return not_yet(
            "It waits for ever in partition 0: after the last message comes the marker.", outcome
        )
    if not is_recovered(None, ends[1], ends[1]):
        return not_yet("It waits for ever in partition 1, which is empty.", outcome)
    return solved(outcome)
