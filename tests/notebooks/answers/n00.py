"""Answers to the exercises of notebook 00."""

from tests.notebooks.answers import Answers

DOUBLE_ALL = """
def count_bonus(ctx, msg):
    user = ctx.value() or clicks.User()
    user.clicks += 2
    ctx.set_value(user)
"""
NOT_KEPT = """
def count_bonus(ctx, msg):
    user = ctx.value() or clicks.User()
    user.clicks += 2 if ctx.key == "user-0" else 1
"""
UNDEFINED = """
def count_bonus(ctx, msg):
    user = ctx.value() or clicks.User()
    user.clicks += 2 if key == "user-0" else 1
    ctx.set_value(user)
"""
INLINE = """
def count_bonus(ctx, msg):
    user = ctx.value() or clicks.User()
    user.clicks += 1 + (ctx.key == "user-0")
    ctx.set_value(user)
"""
IF_ELSE = """
def count_bonus(ctx, msg):
    user = ctx.value() or clicks.User()
    if ctx.key == "user-0":
        user.clicks += 2
    else:
        user.clicks += 1
    ctx.set_value(user)
"""
CALLS_TWICE = """
def count_bonus(ctx, msg):
    clicks.count(ctx, msg)
    if ctx.key == "user-0":
        clicks.count(ctx, msg)
"""

ANSWERS = {
    1: Answers(
        wrong={
            "answer = 1": "Was the click lost?",
            "answer = 3": "Does it still hold the click?",
            "answer = 'stream'": "one of the numbers 1, 2 and 3",
        },
        right=("answer = 2",),
    ),
    2: Answers(
        wrong={
            DOUBLE_ALL: "Only user-0 gets two",
            NOT_KEPT: "call `ctx.set_value(user)`",
            UNDEFINED: "NameError",
        },
        right=(INLINE, IF_ELSE, CALLS_TWICE),
    ),
}
