"""The rules of the ledger: what is counted, waits, is lost, or was counted twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clicklib.widgets.books import Balance, Books


def books(*users: str, committed: int = 0, start: int = 0) -> Books:
    """The books of one partition with a click of each of these users."""
    made = Books({0: start})
    for offset, user in enumerate(users, start):
        made.click(0, offset, user)
    made.commit(0, committed)
    return made


def test_a_click_waits_until_it_is_counted_and_is_lost_if_it_was_committed_uncounted() -> None:
    opened = books("a", "a", "b", committed=2)
    assert opened.balance({"a": 2}) == Balance(3, 2, waiting=1, lost=0, twice=0)
    assert opened.balance({"a": 1}) == Balance(3, 1, waiting=1, lost=1, twice=0)
    assert opened.commit(0, 3)
    assert opened.balance({"a": 2}) == Balance(3, 2, waiting=0, lost=1, twice=0)
    assert opened.balance({"a": 2, "b": 1}) == Balance(3, 3, waiting=0, lost=0, twice=0)


def test_losses_and_doubles_of_different_users_do_not_cancel_out() -> None:
    opened = books("a", "b", committed=2)
    assert opened.balance({"a": 2}) == Balance(2, 2, waiting=0, lost=1, twice=1)
    assert opened.balance({"a": 1, "b": 1, "nobody": 3}).twice == 3


def test_what_kafka_acknowledged_and_does_not_have_is_lost() -> None:
    assert books("a", committed=1).balance({"a": 1}, acknowledged=3).lost == 2


def test_a_click_that_is_read_again_is_entered_once() -> None:
    opened = books("a", "b", committed=2)
    opened.read_to(0, 0)  # by a reader that went back
    opened.click(0, 0, "a")
    opened.click(0, 1, "b")
    assert opened.positions == {0: 2}
    assert opened.balance({"a": 1, "b": 1}) == Balance(2, 2, waiting=0, lost=0, twice=0)


def test_a_group_whose_offsets_were_set_back_needs_new_books() -> None:
    opened = books("a", "b", committed=2)
    assert not opened.commit(0, 1)


def test_nothing_is_said_of_clicks_before_the_books_until_none_waits() -> None:
    opened = books("a", "a", start=5, committed=6)
    opened.carry({"a": 8})
    assert opened.balance({"a": 8}) == Balance(2, 8, waiting=1, lost=None, twice=None)
    assert not opened.may_carry
    opened.commit(0, 7)
    opened.carry({"a": 9, "old": 2})  # 7 of these, and both of "old", were before the books
    assert opened.balance({"a": 9, "old": 2}, acknowledged=11) == Balance(2, 11, 0, 0, 0)
    opened.click(0, 7, "a")
    opened.commit(0, 8)
    assert opened.balance({"a": 9, "old": 2}).lost == 1
    assert opened.balance({"a": 10, "old": 3}).twice == 1


@given(st.lists(st.sampled_from("abc"), max_size=30), st.data())
def test_the_figures_add_up_whatever_was_counted(users: list[str], data: st.DataObject) -> None:
    opened = books(*users, committed=data.draw(st.integers(0, len(users))))
    counted = data.draw(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 9)))
    found = opened.balance(counted)
    assert found.lost is not None
    assert found.twice is not None
    assert found.counted == found.logged - found.waiting - found.lost + found.twice
    assert min(found.waiting, found.lost, found.twice) >= 0
