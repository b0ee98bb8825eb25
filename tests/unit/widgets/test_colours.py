"""Letters and colours."""

from __future__ import annotations

from clicklib.widgets.colours import PALETTE, colour, letter


def test_members_have_letters_without_end() -> None:
    assert [letter(i) for i in (0, 25, 26, 27, 51, 52, 701, 702)] == (
        ["A", "Z", "AA", "AB", "AZ", "BA", "ZZ", "AAA"]
    )


def test_colours_repeat() -> None:
    count = len(PALETTE)
    assert [colour(i) for i in range(2 * count)] == PALETTE * 2
