"""The text of keys and values."""

from __future__ import annotations

from clicklib.widgets.text import natural, readable


def test_users_are_sorted_by_their_numbers() -> None:
    assert sorted(["user-10", "user-2", "a", "user-1", ""], key=natural) == (
        ["", "a", "user-1", "user-2", "user-10"]
    )


def test_what_is_no_text_can_be_shown() -> None:
    shown = readable(b"a\xff\xfe".decode("utf-8", "surrogateescape"))
    assert shown == "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"
    assert readable("é" * 300, 10) == "é" * 10 + "…"
