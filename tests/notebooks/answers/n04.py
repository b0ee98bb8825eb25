"""Answers to the exercises of notebook 04."""

from tests.notebooks.answers import Answers

HEAD = """
def decode(data):
    found = json.loads(data)
    if isinstance(found, int):
        return User(found)
"""
TOLERANT_AS_BEFORE = f'{HEAD}    return User(found["Clicks"])\n'
ZERO = f'{HEAD}    return User(found.get("Clicks", found.get("clicks", 0)))\n'
NONE = f'{HEAD}    return User(found.get("Clicks") or found.get("clicks"))\n'
NUMBER = f'{HEAD}    return found["clicks"] if "clicks" in found else found["Clicks"]\n'
ONLY_NEW = f'{HEAD}    return User(found["clicks"])\n'

IN = f'{HEAD}    return User(found["clicks"] if "clicks" in found else found["Clicks"])\n'
LOWER = (
    f"{HEAD}"
    "    lower = {key.lower(): value for key, value in found.items()}\n"
    '    return User(lower["clicks"])\n'
)
TRY = (
    f"{HEAD}"
    "    try:\n"
    '        return User(found["Clicks"])\n'
    "    except KeyError:\n"
    '        return User(found["clicks"])\n'
)

ANSWERS = {
    1: Answers(
        wrong={
            "prediction = 3": "is it lost, or does it wait?",
            "prediction = 5": "Did it change the row?",
            "prediction = 'four'": "Write a number",
        },
        right=("prediction = 4", "prediction = 3 + waiting", "prediction = 4.0"),
    ),
    2: Answers(
        wrong={
            ZERO: "must raise an error",
            TOLERANT_AS_BEFORE: "the format of the other team",
            NONE: "must raise an error",
            NUMBER: "has to return a User",
            ONLY_NEW: "the format of UserCodec",
        },
        right=(IN, LOWER, TRY),
    ),
    3: Answers(
        wrong={
            """prediction_of_row = b'{"Clicks":5,"Last":"12:05"}'""": "Its User has only clicks",
            """prediction_of_row = b'{"Clicks":4}'""": "one more was counted",
            """prediction_of_row = b'{"Clicks": 5}'""": "no spaces",
            "prediction_of_row = 5": "Write a row like",
        },
        right=(
            """prediction_of_row = b'{"Clicks":5}'""",
            """prediction_of_row = '{"Clicks":5}'""",
            "prediction_of_row = UserCodec().encode(User(5))",
        ),
    ),
}
