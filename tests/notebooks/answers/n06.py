"""Answers to the exercises of notebook 06."""

from tests.notebooks.answers import Answers

FUNCTION = """
def is_recovered(last_offset, position, end):
    return {}
"""

IF_ELSE = """
def is_recovered(last_offset, position, end):
    if position < end:
        return False
    return True
"""

ANSWERS = {
    1: Answers(
        wrong={
            "predicted = 50_000": "These are all partitions",
            "predicted = 10_000": "Almost",
            "predicted = 5_000": "Partition 8 has two users",
            "predicted = 2": "The view reads messages",
            "predicted = 0": "Where does the view get the rows",
        },
        right=(
            "predicted = ends[8][1]",
            "predicted = 2 * 5_000 + 1",
            "predicted = len(log := read_log()) and sum(log.partition == 8)",
        ),
    ),
    2: Answers(
        wrong={
            FUNCTION.format("last_offset == end - 1"): "waits for ever in partition 0",
            FUNCTION.format("last_offset is None or last_offset >= end - 2"): "before the first",
            FUNCTION.format("last_offset is not None and position >= end"): "which is empty",
            FUNCTION.format("position >= end - 1"): "one message of partition 8 is missing",
            FUNCTION.format("last_offset >= end - 1"): "TypeError",
        },
        right=(
            FUNCTION.format("position >= end"),
            FUNCTION.format("position == end"),
            IF_ELSE,
        ),
    ),
}
