"""Answers of learners to each exercise: text for the answer cell, wrong and right."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

__all__ = ["Answers", "of_notebook"]


@dataclass(frozen=True)
class Answers:
    """At least two wrong answers, each with a part of the hint that fits it, and right ones.

    The answer of an exercise that can be solved in several ways has three right ones.
    """

    wrong: dict[str, str]
    right: tuple[str, ...]


def of_notebook(name: str) -> dict[int, Answers]:
    """The answers to the exercises of a notebook, by the exercise's number."""
    found: dict[int, Answers] = importlib.import_module(f"{__name__}.n{name[:2]}").ANSWERS
    return found
