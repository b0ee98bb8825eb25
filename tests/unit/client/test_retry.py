"""What is asked again, for how long, and how long one answer is waited for."""

from __future__ import annotations

import pytest

from clicklib.client.limit import until
from clicklib.client.retry import Patience, keep_trying
from clicklib.errors import TopicError, UnavailableError


def test_what_is_unavailable_is_tried_again_until_it_is_late_or_unwanted():
    outcomes = iter([UnavailableError("cut"), UnavailableError("cut"), "there"])

    def step() -> str:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert keep_trying(step, 5) == "there"
    outcomes = iter([UnavailableError("late"), "too late"])
    with pytest.raises(UnavailableError, match="late"):
        keep_trying(step, -1)
    outcomes = iter([UnavailableError("unwanted"), "unwanted"])
    with until(lambda: True), pytest.raises(UnavailableError, match="unwanted"):
        keep_trying(step, 5)
    outcomes = iter([TopicError("missing"), "there"])
    with pytest.raises(TopicError):
        keep_trying(step, 5)


def test_the_caller_says_what_may_pass() -> None:
    outcomes = iter([TopicError("not yet"), TopicError("not yet"), 7])

    def step() -> int:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert keep_trying(step, 5, passes=lambda e: isinstance(e, TopicError), pause=0.01) == 7


@pytest.mark.parametrize(
    ("limit", "waits"),
    [(60.0, [2, 60, 60]), (10.0, [2, 10, 10]), (2.0, [2, 2]), (0.5, [0.5, 0.5])],
)
def test_patience_grows_to_its_limit_and_begins_again(limit: float, waits: list[float]) -> None:
    patience = Patience(limit)
    for _ in range(2):
        seen = []
        for _ in waits:
            seen.append(patience.seconds)
            patience.grow()
        assert seen == waits
        patience.reset()
