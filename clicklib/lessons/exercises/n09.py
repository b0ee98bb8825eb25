"""The exercises of notebook 09."""

from __future__ import annotations

from clicklib.lessons.exercise import Verdict, chosen, exercise


@exercise(
    "09.1",
    hints=(
        "The transaction of the third click was not committed. Who can see its row?",
        "The second program finds a row with 2 clicks. Which click does it read first?",
    ),
    solution="predicted = 3",
    because="The first program's row never became visible, so the second program counts the click.",
)
def after_the_kill(predicted: int, found: dict[str, int]) -> Verdict:
    """Predict the count after a kill inside a transaction."""
    clicked, counted = found["clicked"], found["counted"]
    outcome = f"Clicks in the stream: {clicked}. Clicks in the table after the kill: {counted}."
    hints = {
        clicked + 1: "That was the outcome of notebook 08. Here the row that the second program "
        "finds does not contain the third click.",
        clicked - 1: "The third click is still in the stream, and its offset is not committed. Is "
        "it lost?",
    }
    add = "Add the clicks that the second program reads to the row it finds."
    return chosen(predicted, counted, outcome, hints, add)


@exercise(
    "09.2",
    hints=(
        "The first program had called the callback for the third click before it froze.",
        "The second program began with the third click.",
    ),
    solution="calls = 4",
    because="The first program made three calls, and the second one handled the third click again.",
)
def calls_of_the_callback(calls: int, lines: dict[str, list[str]]) -> Verdict:
    """Predict how often the callback was called."""
    first, second = lines.values()
    made = len(first) + len(second)
    outcome = f"Calls: {len(first)} in the first program, {len(second)} in the second."
    hints = {
        len(first): "Each click is counted once. But a program must call the callback before it "
        "can count, and the first program was killed after that.",
        2 * len(first): "The first two clicks were committed, so the second program did not read "
        "them.",
    }
    add = "Count the calls of each program, and add the two numbers."
    return chosen(calls, made, outcome, hints, add)


@exercise(
    "09.3",
    hints=(
        "Each of the five users has a row.",
        "Look at the offsets 0 to 3 of the messages above. What is between them?",
        "All five rows are in the same transaction. How many markers does it have here?",
    ),
    solution="growth = 6",
    because="Five rows and one marker: all five rows were in one transaction.",
)
def offsets_of_five_rows(growth: int, grown: int) -> Verdict:
    """Predict how many offsets a transaction takes."""
    outcome = f"The end offset grew by {grown}."
    hints = {
        5: "These are the rows. What else takes an offset?",
        10: "A transaction has one marker, however many rows it has.",
        1: "Five users have five rows. Only one user's clicks share a row.",
    }
    add = "Add the rows, and the marker at the end of the transaction."
    again = "The rows needed more than one transaction this time. Run the experiment again."
    return chosen(growth, grown, outcome, hints, again if grown > 6 else add)
