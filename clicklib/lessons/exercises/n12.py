"""The exercises of notebook 12."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clicklib.emitter import EmitterStats
from clicklib.lessons.exercise import Verdict, chosen, exercise, not_yet, solved

if TYPE_CHECKING:
    import pandas as pd


@exercise(
    "12.1",
    hints=(
        "The next leader must have all acknowledged messages. Which brokers have them?",
        "The brokers in step have all acknowledged messages. One of them is killed.",
    ),
    solution="candidates = set(in_step) - {leader}",
    because="A broker in step has every acknowledged message. The killed leader was in step too, "
    "but it does not run.",
)
def next_leaders(
    candidates: set[int], leader: int, in_step: Sequence[int], next_leader: int
) -> Verdict:
    """Predict the next leader."""
    outcome = f"Broker {leader} was killed. Now broker {next_leader} is the leader."
    may = set(in_step) - {leader}
    said = {candidates} if isinstance(candidates, int) else set(candidates)
    if said == may:
        return solved(outcome)
    if leader in said:
        return not_yet(f"Broker {leader} is killed. Which others are in step?", outcome)
    if said - set(in_step):
        return not_yet("Answer with brokers from the list of those in step.", outcome)
    return not_yet("More than one broker has all acknowledged messages.", outcome)


@exercise(
    "12.2",
    hints=(
        "Take a partition whose leader was not killed. On which brokers were its copies?",
        "Each partition had a copy in step on the killed broker. A message is acknowledged when "
        "all copies in step have it.",
    ),
    solution="answer = 2",
    because="Each partition had a copy on the killed broker. Until the cluster noticed the kill, "
    "it waited for this copy, so nothing was acknowledged.",
)
def who_stood_still(answer: int, pauses: pd.Series, leaders: pd.Series, dead: int) -> Verdict:
    """Predict which partitions stood still."""
    led, others = pauses[leaders == dead].median(), pauses[leaders != dead].median()
    outcome = (
        f"Typical longest pause: {led:.1f} s in the partitions of the killed leader, "
        f"{others:.1f} s in the others."
    )
    found = 3 if max(led, others) < 1 else 2 if others >= led / 2 else 1
    hints = {
        1: "Where were the copies of the partitions with another leader?",
        2: "This is what happens as a rule, but not in this run. Run the cells again from the "
        "heading *Find the broker that you will kill*.",
        3: "How long does it take until the cluster notices the kill?",
    }
    return chosen(answer, found, outcome, hints)


@exercise(
    "12.3",
    hints=(
        "An emitter knows of each message whether it was acknowledged.",
        "A message that was not acknowledged is still in the emitter. What can the emitter do "
        "with it when there is a leader again?",
    ),
    solution="choice = 3",
    because="The emitter keeps a message until it is acknowledged.",
)
def what_became(choice: int, stats: EmitterStats, counted: int) -> Verdict:
    """Predict what happened to the clicks."""
    outcome = (
        f"Sent: {stats.emitted}. Acknowledged: {stats.acknowledged}. Failed: {stats.failed}. "
        f"In the table: {counted}."
    )
    found = 2 if stats.failed else 1 if counted < stats.emitted else 3
    hints = {
        1: "Compare what was sent with what is in the table.",
        2: "How many clicks have failed?",
        3: "As a rule none fails, but in this run some did.",
    }
    return chosen(choice, found, outcome, hints)
