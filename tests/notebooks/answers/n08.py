"""Answers to the exercises of notebook 08."""

from tests.notebooks.answers import Answers

ONCE = """
def count_once(ctx, msg):
    row = ctx.value() or {{"Clicks": 0, "Offset": -1}}
    is_new = {}
    if is_new:
        ctx.set_value({{"Clicks": row["Clicks"] + 1, "Offset": ctx.offset}})
"""
EARLY_RETURN = """
def count_once(ctx, msg):
    row = ctx.value() or {"Clicks": 0, "Offset": -1}
    if ctx.offset <= row["Offset"]:
        return
    row["Clicks"] += 1
    row["Offset"] = ctx.offset
    ctx.set_value(row)
"""

ANSWERS = {
    1: Answers(
        wrong={
            "predicted = 3": "if the third click were not read again",
            "predicted = 2": "A kill removes no row",
            "predicted = 'four'": "Begin with the row",
        },
        right=("predicted = 4", "predicted = 3 + 1", 'predicted = found["counted"]'),
    ),
    2: Answers(
        wrong={
            "repeated = 1": "may finish its work",
            "repeated = 5": "forget its work",
            "repeated = 2": "Compare how much",
        },
        right=("repeated = 0",),
    ),
    3: Answers(
        wrong={
            ONCE.format('ctx.offset >= row["Offset"]'): "the same as the one in the row",
            ONCE.format('ctx.offset == row["Offset"] + 1'): "not always the row's offset plus 1",
            ONCE.format('ctx.offset != row["Offset"]'): "comes again looks new",
            ONCE.format("True"): "comes again looks new",
            ONCE.format("offset > 0"): "NameError",
        },
        right=(
            ONCE.format('ctx.offset > row["Offset"]'),
            ONCE.format('not ctx.offset <= row["Offset"]'),
            EARLY_RETURN,
        ),
    ),
}
