"""The letters and colours by which a picture tells members and users apart."""

from __future__ import annotations

__all__ = ["PALETTE", "colour", "letter"]

# Okabe and Ito's colours, which colour-blind readers can tell apart, each with black or white for
# the text on it. Their vermilion is not here: in the pictures it means "failed".
PALETTE = [
    ("#0072B2", "#fff"),
    ("#E69F00", "#000"),
    ("#009E73", "#000"),
    ("#CC79A7", "#000"),
    ("#56B4E9", "#000"),
    ("#F0E442", "#000"),
]


def colour(index: int) -> tuple[str, str]:
    """The colour of number `index`, and the colour of text on it. Colours repeat."""
    return PALETTE[index % len(PALETTE)]


def letter(index: int) -> str:
    """The letters of number `index`: A, B, …, Z, AA, AB, …"""
    text = ""
    while index >= 0:
        text, index = chr(ord("A") + index % 26) + text, index // 26 - 1
    return text
