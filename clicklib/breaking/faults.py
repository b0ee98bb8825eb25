"""What a button of the panel does: the faults that targets have as methods.

Rules only: no thread, no clock, no client.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["AGAIN", "Fault", "fault", "faults_of"]

AGAIN = "Start again now"
M = TypeVar("M", bound=Callable[..., None])


@dataclass(frozen=True)
class Fault:
    """A method `name` of a target that harms it. After `seconds` the target's `heal` is called.

    `expect` says what the reader will see. `undo` is on the button while the fault lasts; a fault
    without it is not ended by a press. `word` says on the ledger's strip what has happened.
    """

    name: str
    title: str
    expect: str
    word: str
    seconds: float
    undo: str


def fault(title: str, word: str, seconds: float = 0.0, undo: str = "") -> Callable[[M], M]:
    """Make a method a fault, and its docstring what the reader should expect."""

    def note(method: M) -> M:
        expect = " ".join((method.__doc__ or "").split())
        known = Fault(method.__name__, title, expect, word, seconds, undo)
        method.fault = known  # type: ignore[attr-defined]
        return method

    return note


def faults_of(target: object) -> dict[str, Fault]:
    """The faults of a target by their names, in the order of its methods."""
    found = (getattr(each, "fault", None) for each in vars(type(target)).values())
    return {each.name: each for each in found if each is not None}
