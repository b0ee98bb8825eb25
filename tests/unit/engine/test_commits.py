"""The order of commits: only what is safe, one at a time, never backwards."""

from __future__ import annotations

import pytest

from clicklib.client.offsets import TopicPartition
from clicklib.engine.commits import Commits

CLICKS, LIKES = TopicPartition("clicks", 3), TopicPartition("likes", 3)


@pytest.fixture
def commits() -> Commits:
    commits = Commits()
    commits.note_safe(3, {"clicks": 10}, committed=False)
    return commits


def test_nothing_is_due_before_something_is_safe() -> None:
    assert Commits().due() == {}


def test_what_is_safe_is_due_for_each_topic_of_the_partition(commits: Commits) -> None:
    commits.note_safe(3, {"likes": 4}, committed=False)
    commits.note_safe(4, {"clicks": 1}, committed=False)
    assert commits.due() == {CLICKS: 10, LIKES: 4, TopicPartition("clicks", 4): 1}


def test_the_latest_safe_offset_is_due(commits: Commits) -> None:
    commits.note_safe(3, {"clicks": 12}, committed=False)
    assert commits.due() == {CLICKS: 12}


def test_a_commit_on_its_way_is_still_due(commits: Commits) -> None:
    commits.sent(commits.due())
    assert commits.due() == {CLICKS: 10}


def test_a_commit_that_was_taken_is_done(commits: Commits) -> None:
    commits.sent(commits.due())
    commits.answered(None)
    assert commits.due() == {}


def test_a_commit_that_failed_is_due_again(commits: Commits) -> None:
    commits.sent(commits.due())
    commits.answered(TimeoutError())
    commits.answered(None)
    assert commits.due() == {CLICKS: 10}


def test_what_became_safe_meanwhile_is_due_after_the_answer(commits: Commits) -> None:
    commits.sent(commits.due())
    commits.note_safe(3, {"clicks": 15}, committed=False)
    commits.answered(None)
    assert commits.due() == {CLICKS: 15}


def test_an_offset_that_goes_backwards_is_a_defect(commits: Commits) -> None:
    with pytest.raises(AssertionError, match="goes back from 10 to 9"):
        commits.note_safe(3, {"clicks": 9}, committed=False)
    assert commits.due() == {CLICKS: 10}


def test_partitions_that_went_to_another_are_forgotten_with_new_offsets(commits: Commits) -> None:
    """The answer to a commit that was sent for the old ones says nothing of the new."""
    commits.sent(commits.due())
    commits = Commits()
    assert commits.due() == {}
    commits.answered(None)
    commits.note_safe(3, {"clicks": 2}, committed=False)
    assert commits.due() == {CLICKS: 2}


def test_what_was_committed_with_its_rows_is_not_due(commits: Commits) -> None:
    commits.note_safe(3, {"clicks": 12, "likes": 4}, committed=True)
    assert commits.due() == {}


def test_what_a_transaction_did_not_cover_is_still_due(commits: Commits) -> None:
    commits.note_safe(3, {"likes": 4}, committed=True)
    commits.note_safe(4, {"clicks": 1}, committed=False)
    assert commits.due() == {CLICKS: 10, TopicPartition("clicks", 4): 1}
    commits.note_safe(3, {"likes": 5}, committed=False)
    assert commits.due() == {CLICKS: 10, LIKES: 5, TopicPartition("clicks", 4): 1}


def test_no_answer_to_a_commit_undoes_a_transaction(commits: Commits) -> None:
    commits.note_safe(3, {"clicks": 12}, committed=True)
    commits.answered(TimeoutError())
    commits.answered(None)
    assert commits.due() == {}


def test_a_transaction_that_goes_backwards_is_a_defect(commits: Commits) -> None:
    commits.note_safe(3, {"clicks": 12}, committed=True)
    with pytest.raises(AssertionError, match="goes back from 12 to 11"):
        commits.note_safe(3, {"clicks": 11}, committed=True)
    assert commits.due() == {}


def test_what_a_transaction_committed_is_never_due_not_even_for_a_moment() -> None:
    """Another thread asks meanwhile: a second commit of it could come after the next one's."""
    commits = Commits()
    seen: list[dict[TopicPartition, int]] = []

    class Watched(dict[TopicPartition, int]):
        def __setitem__(self, place: TopicPartition, offset: int) -> None:
            super().__setitem__(place, offset)
            seen.append(commits.due())

    commits._safe, commits._committed = Watched(), Watched()
    for offset in (5, 9):
        commits.note_safe(3, {"clicks": offset}, committed=True)
    assert seen == [{}] * 4
