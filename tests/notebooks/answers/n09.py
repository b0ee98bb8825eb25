"""Answers to the exercises of notebook 09."""

from tests.notebooks.answers import Answers

ANSWERS = {
    1: Answers(
        wrong={
            "predicted = 4": "the outcome of notebook 08",
            "predicted = 2": "Is it lost?",
            "predicted = None": "to the row it finds",
        },
        right=("predicted = 3", 'predicted = found["clicked"]'),
    ),
    2: Answers(
        wrong={
            "calls = 3": "before it can count",
            "calls = 6": "did not read them",
            "calls = 1": "Count the calls of each program",
        },
        right=("calls = 4", "calls = 3 + 1"),
    ),
    3: Answers(
        wrong={
            "growth = 5": "What else takes an offset",
            "growth = 10": "however many rows",
            "growth = 1": "Five users have five rows",
            "growth = 7": "Add the rows",
        },
        right=("growth = 6", "growth = 5 + 1"),
    ),
}
