"""Answers to the exercises of notebook 01."""

from tests.notebooks.answers import Answers

ANSWERS = {
    1: Answers(
        wrong={
            "total = mine.clicks.sum()": "You have added the counts",
            "total = mine.clicks.iloc[0]": "the oldest line",
            "total = mine.clicks": "one number",
        },
        right=(
            "total = mine.clicks.iloc[-1]",
            "total = mine.clicks.max()",
            "total = list(mine.clicks)[-1]",
        ),
    ),
    2: Answers(
        wrong={
            "unknown = 1": "it has no 0 either",
            "unknown = 3": "does not wait",
            "unknown = 404": "one of the numbers 1, 2 and 3",
        },
        right=("unknown = 2",),
    ),
    3: Answers(
        wrong={
            "first_count = 1": "Is the table new too?",
            "first_count = 3": "Who sends the clicks?",
            "first_count = 'one more'": "one of the numbers 1, 2 and 3",
        },
        right=("first_count = 2",),
    ),
}
