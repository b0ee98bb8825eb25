"""The exercises of notebook 11."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clicklib.lessons.exercise import Verdict, chosen, exercise, not_yet, solved

if TYPE_CHECKING:
    import pandas as pd

_REBALANCE = 1.0  # seconds that a rebalance may take; less than the session timeout of 2


@exercise(
    "11.1",
    hints=(
        "The killed program cannot tell the group that it has ended. How does the group notice it?",
        "The group notices it when it has heard nothing from the program for the session timeout. "
        "The other programs go on with their own partitions in that time.",
    ),
    solution="answer = 2",
    because="Until the session timeout is over, the partitions of the killed program still belong "
    "to it. The other programs go on.",
)
def who_stands_still(answer: int, pauses: pd.Series, lost: Sequence[int]) -> Verdict:
    """Predict which partitions stand still after a kill."""
    long = max(_REBALANCE, pauses.max() / 2)
    still = [int(partition) for partition, pause in pauses.items() if pause > long]
    outcome = (
        f"Partitions of the killed program: {_listed(lost)}. "
        f"Partitions that stood still for more than {long:.1f} s: {_listed(still) or 'none'}."
    )
    found = 3 if not still else 2 if set(still) <= set(lost) else 1
    hints = {
        1: "The other two programs still run. Must they stop for long?",
        2: "This is what happens as a rule, but not in this run. Is the machine very busy? Run the "
        "cell with the kill again.",
        3: "How long does it take until the group notices the crash?",
    }
    return chosen(answer, found, outcome, hints)


@exercise(
    "11.2",
    hints=(
        "Ten partitions get 200 clicks a second. How many clicks a second do the partitions of the "
        "killed program get?",
        "Three or four of ten partitions get about 60 to 80 clicks a second. They stood still for "
        "about 2 seconds.",
    ),
    solution="waited = 200 * len(lost) / 10 * pauses[lost].max()",
    because="Clicks a second, times the share of the killed program's partitions, times the "
    "seconds of the pause.",
)
def how_many_waited(waited: float, most: int, lost: Sequence[int], pauses: pd.Series) -> Verdict:
    """Compute how many clicks waited."""
    pause = pauses[list(lost)].max()
    outcome = (
        f"The largest lag that was measured: {most} clicks. {len(lost)} of ten partitions stood "
        f"still for {pause:.1f} s."
    )
    if _near(waited, most, 0.3):
        return solved(outcome)
    if waited == 0:
        return not_yet("Nobody counted these clicks for some time, but the users clicked.", outcome)
    if _near(waited, 200 * pause, 0.15) or _near(waited, 400, 0.05):
        return not_yet(
            "These are the clicks of all ten partitions. Only some stood still.", outcome
        )
    if _near(waited, 20 * len(lost), 0.15):
        return not_yet("These are the clicks of one second.", outcome)
    if most / 3 <= waited <= most * 3:
        return solved(outcome)
    if waited < most:
        return not_yet("More clicks waited.", outcome)
    return not_yet("Fewer clicks waited.", outcome)


def _near(number: float, other: float, share: float) -> bool:
    return abs(number - other) <= share * other


@exercise(
    "11.3",
    hints=(
        "What is the session timeout for? Does the group need it here?",
        "A program that stops cleanly tells the group that it ends.",
    ),
    solution='prediction = "shorter"',
    because="The session timeout is for members from which the group hears nothing. When a member "
    "says that it ends, the group gives its partitions to the others immediately.",
)
def clean_stop(prediction: str, kill: float, stop: float) -> Verdict:
    """Predict the pause after Ctrl-C."""
    outcome = f"Longest pause after the kill: {kill:.2f} s. After the clean stop: {stop:.2f} s."
    found = "shorter" if stop < 0.7 * kill else "same"
    said = str(prediction).strip().lower().removeprefix("the ")
    hints = {
        "same": "Does the group have to wait for a program that has said that it ends?",
        "shorter": "This is what happens as a rule, but not in this run. Is the machine very busy? "
        "Run the cell with the stop again.",
    }
    return chosen(said, found, outcome, hints, 'Answer with "shorter" or "same".')


def _listed(partitions: Sequence[int]) -> str:
    return ", ".join(map(str, partitions))
