"""Answers to the exercises of notebook 10."""

from tests.notebooks.answers import Answers

MODEL = """
def expected(history):
    counts = Counter()
    for user, msg in history:
        counts[user] = {expression}
    return {{user: count for user, count in counts.items() if count > 0}}
"""
ZERO_ROWS = """
def expected(history):
    counts = Counter()
    for user, msg in history:
        counts[user] = 0 if msg == "leave" else counts[user] + 1
    return dict(counts)
"""
UNKNOWN_USER = """
def expected(history):
    counts = {}
    for user, msg in history:
        counts[user] = 0 if msg == "leave" else counts[user] + 1
    return {user: count for user, count in counts.items() if count > 0}
"""
POPS = """
def expected(history):
    counts = {}
    for user, msg in history:
        if msg == "leave":
            counts.pop(user, None)
        else:
            counts[user] = counts.get(user, 0) + 1
    return counts
"""

ANSWERS = {
    1: Answers(
        wrong={
            'predicted = {"user-3": 42, "user-4": None}': "left before the click",
            'predicted = {"user-3": 1, "user-4": 0}': "has no row at all",
            'predicted = {"user-3": 1, "user-4": 1}': "left after the click",
            'predicted = {"user-3": 7, "user-4": None}': "the messages of user-3",
        },
        right=(
            'predicted = {"user-3": 1, "user-4": None}',
            'predicted = {"user-3": 1}',
            'predicted = {"user-3": clicks.User(1), "user-4": None}',
        ),
    ),
    2: Answers(
        wrong={
            "shortest = 3": "After 3 clicks of one user the table is still right",
            "shortest = 5": "A shorter list fails too",
            "shortest = 1": "So few clicks are all counted",
            "shortest = 'user-0'": "the number of clicks",
        },
        right=("shortest = 4", "shortest = ['user-0'] * 4"),
    ),
    3: Answers(
        wrong={
            MODEL.format(expression="counts[user] + 1"): "counts `leave` as a click",
            MODEL.format(expression='counts[user] + (msg != "leave")'): "keeps the clicks",
            MODEL.format(expression='int(msg != "leave")'): "does not add up",
            ZERO_ROWS: "has no row",
            UNKNOWN_USER: "KeyError",
        },
        right=(
            MODEL.format(expression='0 if msg == "leave" else counts[user] + 1'),
            MODEL.format(expression='(counts[user] + 1) * (msg != "leave")'),
            POPS,
        ),
    ),
}
