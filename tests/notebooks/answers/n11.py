"""Answers to the exercises of notebook 11."""

from tests.notebooks.answers import Answers

ANSWERS = {
    1: Answers(
        wrong={
            "answer = 1": "Must they stop for long?",
            "answer = 3": "until the group notices the crash",
            "answer = 'some'": "one of the numbers 1, 2 and 3",
        },
        right=("answer = 2",),
    ),
    2: Answers(
        wrong={
            "waited = 0": "Nobody counted these clicks",
            "waited = 200 * pauses[lost].max()": "the clicks of all ten partitions",
            "waited = 20 * len(lost)": "the clicks of one second",
            "waited = 5": "More clicks waited",
            "waited = 100_000": "Fewer clicks waited",
        },
        right=(
            "waited = 200 * 2 * len(lost) / 10",
            "waited = 20 * len(lost) * pauses[lost].mean()",
            "waited = most",
        ),
    ),
    3: Answers(
        wrong={
            'prediction = "same"': "has said that it ends",
            'prediction = "longer"': '"shorter" or "same"',
        },
        right=('prediction = "shorter"',),
    ),
}
