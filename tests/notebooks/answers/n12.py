"""Answers to the exercises of notebook 12."""

from tests.notebooks.answers import Answers

ANSWERS = {
    1: Answers(
        wrong={
            "candidates = {1, 2, 3}": "is killed. Which others are in step?",
            "candidates = {leader}": "is killed. Which others are in step?",
            "candidates = {4}": "from the list of those in step",
            "candidates = {leader % 3 + 1}": "More than one broker",
        },
        right=(
            "candidates = set(in_step) - {leader}",
            "candidates = {1, 2, 3} - {leader}",
            "candidates = [number for number in in_step if number != leader]",
        ),
    ),
    2: Answers(
        wrong={
            "answer = 1": "the partitions with another leader",
            "answer = 3": "until the cluster notices the kill",
            "answer = 10": "one of the numbers 1, 2 and 3",
        },
        right=("answer = 2",),
    ),
    3: Answers(
        wrong={
            "choice = 1": "Compare what was sent",
            "choice = 2": "How many clicks have failed?",
            "choice = 'again'": "one of the numbers 1, 2 and 3",
        },
        right=("choice = 3",),
    ),
}
