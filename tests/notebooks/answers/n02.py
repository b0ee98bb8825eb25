"""Answers to the exercises of notebook 02."""

from tests.notebooks.answers import Answers

LAST = """
def process_visit(ctx, msg):
    visit = ctx.value() or Visit()
    visit.clicks += 1
    visit.first = msg
    ctx.set_value(visit)
"""
NOTHING = """
def process_visit(ctx, msg):
    visit = ctx.value() or Visit()
    visit.clicks += 1
    visit.first = visit.first
    ctx.set_value(visit)
"""
NOT_KEPT = """
def process_visit(ctx, msg):
    visit = ctx.value() or Visit()
    visit.clicks += 1
    visit.first = visit.first or msg
"""
FORGETS_THE_COUNT = """
def process_visit(ctx, msg):
    visit = ctx.value() or Visit(first=msg)
    ctx.set_value(visit)
"""
NO_ROW = """
def process_visit(ctx, msg):
    visit = ctx.value()
    visit.clicks += 1
    visit.first = visit.first or msg
    ctx.set_value(visit)
"""
OR = """
def process_visit(ctx, msg):
    visit = ctx.value() or Visit()
    visit.clicks += 1
    visit.first = visit.first or msg
    ctx.set_value(visit)
"""
IF = """
def process_visit(ctx, msg):
    visit = ctx.value() or Visit()
    visit.clicks += 1
    if visit.clicks == 1:
        visit.first = msg
    ctx.set_value(visit)
"""
NEW_OBJECT = """
def process_visit(ctx, msg):
    visit = ctx.value() or Visit(first=msg)
    ctx.set_value(Visit(visit.clicks + 1, visit.first))
"""

ANSWERS = {
    1: Answers(
        wrong={
            "row = 1": "the row of the first group",
            "row = 2": "put it into the table?",
            "row = None": "one of the numbers 1, 2 and 3",
        },
        right=("row = 3",),
    ),
    2: Answers(
        wrong={
            'tables = {"first group": 16, "new group": 16}': "written to the table of the first",
            'tables = {"first group": 8, "new group": 0}': "begins with the oldest message",
            'tables = {"first group": 8, "new group": 8}': "each click counts two",
            'tables = {"first group": 8, "new group": 24}': "Which rows has it before?",
            "tables = 16": "Keep the names",
        },
        right=(
            'tables = {"first group": 8, "new group": 16}',
            'tables = dict([("new group", 16), ("first group", 8)])',
            """
counted = processor.get("user-3").clicks
tables = {"first group": counted, "new group": 2 * counted}
""",
        ),
    ),
    3: Answers(
        wrong={
            LAST: "This is the last click",
            NOTHING: "Nothing has put the message",
            NOT_KEPT: "call `ctx.set_value`",
            FORGETS_THE_COUNT: "should have 2 clicks",
            NO_ROW: "AttributeError",
        },
        right=(OR, IF, NEW_OBJECT),
    ),
}
