"""Answers to the exercises of notebook 05."""

from tests.notebooks.answers import Answers

SEARCH = """
for number in range(10, 1_000):
    if greeter.emit_sync(f"user-{number}", "hello")[0] == 8:
        neighbour = f"user-{number}"
        break
"""
BY_RULE = """
names = [f"user-{i}" for i in range(10, 100)]
[neighbour, *_] = [name for name in names if partition_of(name.encode(), 10) == 8]
"""

ANSWERS = {
    1: Answers(
        wrong={
            'neighbour = "ada"': "Try another name",
            'neighbour = "user-9"': "one of the ten users",
            "neighbour = 8": "a name in quotes",
        },
        right=('neighbour = "user-34"', BY_RULE, SEARCH),
    ),
    2: Answers(
        wrong={
            'late = {"user-8"}': "A user is missing",
            'late = {"user-8", "user-9"}': "user-9 is in another partition",
            'late = {"user-2"}': "user-8 itself",
            "late = set(users)": "user-0 is in another partition",
            "late = {2, 8}": "names in braces",
        },
        right=(
            'late = {"user-8", "user-2"}',
            'late = ["user-2", "user-8"]',
            'late = {user for user in users if computed[user] == computed["user-8"]}',
        ),
    ),
    3: Answers(
        wrong={
            "guard = threading.Lock": "Call it",
            "guard = threading.Semaphore(10)": "More than one thread is inside",
            "guard = threading.Event()": "A `with` block cannot use this object",
        },
        right=(
            "guard = threading.Lock()",
            "guard = threading.RLock()",
            "guard = threading.Semaphore(1)",
        ),
    ),
}
