"""Answers to the exercises of notebook 07."""

from tests.notebooks.answers import Answers

LOOP = """
def rebuild(messages):
    rows = {{}}
    for key, value in messages:
        {}
    return rows
"""

LAST_OF_EACH = """
def rebuild(messages):
    last = dict(messages)
    return {key: decode(value) for key, value in last.items() if value is not None}
"""

IF_ELSE = """
def rebuild(messages):
    rows = {}
    for key, value in messages:
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = decode(value)
    return rows
"""

DELETED = """
def rebuild(messages):
    rows = {}
    for key, value in messages:
        if value is not None:
            rows[key] = decode(value)
        elif key in rows:
            del rows[key]
    return rows
"""

KEY_ERROR = """
def rebuild(messages):
    rows = {}
    for key, value in messages:
        if value is None:
            del rows[key]
        else:
            rows[key] = decode(value)
    return rows
"""

ANSWERS = {
    1: Answers(
        wrong={
            "answer = 1": "do not count the messages",
            "answer = 2": "A hole stays a hole",
            "answer = after.offset.max()": "one of the numbers",
        },
        right=("answer = 3",),
    ),
    2: Answers(
        wrong={
            LOOP.format("rows[key] = decode(value)"): "Your answer raised",
            LOOP.format("rows[key] = value and decode(value)"): "A row is None",
            LOOP.format("rows.update({key: decode(value)} if value else {})"): "an old one",
            LOOP.format("rows[key] = value or b''"): "still bytes",
            KEY_ERROR: "no row to remove",
        },
        right=(IF_ELSE, DELETED, LAST_OF_EACH),
    ),
}
