"""The order of commits: only what is safe, one at a time, never backwards."""

from __future__ import annotations

import pytest

from clicklib.engine.commits import Offsets, Place

CLICKS, LIKES = Place("clicks", 3), Place("likes", 3)


@pytest.fixture
def offsets() -> Offsets:
    offsets = Offsets()
    offsets.safe(3, {"clicks": 10})
    return offsets


def test_nothing_is_due_before_something_is_safe() -> None:
    assert Offsets().due() == {}


def test_what_is_safe_is_due_for_each_topic_of_the_partition(offsets: Offsets) -> None:
    offsets.safe(3, {"likes": 4})
    offsets.safe(4, {"clicks": 1})
    assert offsets.due() == {CLICKS: 10, LIKES: 4, Place("clicks", 4): 1}


def test_the_latest_safe_offset_is_due(offsets: Offsets) -> None:
    offsets.safe(3, {"clicks": 12})
    assert offsets.due() == {CLICKS: 12}


def test_a_commit_on_its_way_is_still_due(offsets: Offsets) -> None:
    offsets.sent(offsets.due())
    assert offsets.due() == {CLICKS: 10}


def test_a_commit_that_was_taken_is_done(offsets: Offsets) -> None:
    offsets.sent(offsets.due())
    offsets.answered(None)
    assert offsets.due() == {}


def test_a_commit_that_failed_is_due_again(offsets: Offsets) -> None:
    offsets.sent(offsets.due())
    offsets.answered(TimeoutError())
    offsets.answered(None)
    assert offsets.due() == {CLICKS: 10}


def test_what_became_safe_meanwhile_is_due_after_the_answer(offsets: Offsets) -> None:
    offsets.sent(offsets.due())
    offsets.safe(3, {"clicks": 15})
    offsets.answered(None)
    assert offsets.due() == {CLICKS: 15}


def test_an_offset_that_goes_backwards_is_a_defect(offsets: Offsets) -> None:
    with pytest.raises(AssertionError, match="goes back from 10 to 9"):
        offsets.safe(3, {"clicks": 9})
    assert offsets.due() == {CLICKS: 10}


def test_partitions_that_went_to_another_are_forgotten_with_new_offsets(offsets: Offsets) -> None:
    """The answer to a commit that was sent for the old ones says nothing of the new."""
    offsets.sent(offsets.due())
    offsets = Offsets()
    assert offsets.due() == {}
    offsets.answered(None)
    offsets.safe(3, {"clicks": 2})
    assert offsets.due() == {CLICKS: 2}


def test_what_was_committed_with_its_rows_is_not_due(offsets: Offsets) -> None:
    offsets.safe(3, {"clicks": 12, "likes": 4}, committed=True)
    assert offsets.due() == {}


def test_what_a_transaction_did_not_cover_is_still_due(offsets: Offsets) -> None:
    offsets.safe(3, {"likes": 4}, committed=True)
    offsets.safe(4, {"clicks": 1})
    assert offsets.due() == {CLICKS: 10, Place("clicks", 4): 1}
    offsets.safe(3, {"likes": 5})
    assert offsets.due() == {CLICKS: 10, LIKES: 5, Place("clicks", 4): 1}


def test_no_answer_to_a_commit_undoes_a_transaction(offsets: Offsets) -> None:
    offsets.safe(3, {"clicks": 12}, committed=True)
    offsets.answered(TimeoutError())
    offsets.answered(None)
    assert offsets.due() == {}


def test_a_transaction_that_goes_backwards_is_a_defect(offsets: Offsets) -> None:
    offsets.safe(3, {"clicks": 12}, committed=True)
    with pytest.raises(AssertionError, match="goes back from 12 to 11"):
        offsets.safe(3, {"clicks": 11}, committed=True)
    assert offsets.due() == {}
