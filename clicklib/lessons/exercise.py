"""The rules of an exercise: what is asked, which hints there are, and how an answer is judged."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from inspect import signature
from types import CodeType
from typing import Any

from clicklib.errors import DataError, KafkaError, UsageError, text_of

__all__ = [
    "Exercise",
    "Status",
    "Verdict",
    "chosen",
    "exercise",
    "find",
    "is_open",
    "judged",
    "not_yet",
    "of_notebook",
    "solved",
]


class Status(StrEnum):
    OPEN = "open"
    NOT_YET = "not yet"
    SOLVED = "solved"


@dataclass(frozen=True)
class Verdict:
    """What a check says: its status, the result of the experiment, and a hint for this answer."""

    status: Status
    outcome: str = ""
    hint: str = ""


def solved(outcome: str = "") -> Verdict:
    """The answer is right. `outcome` says what the experiment gave."""
    return Verdict(Status.SOLVED, outcome)


def not_yet(hint: str, outcome: str = "") -> Verdict:
    """The answer is wrong. `hint` fits this answer, `outcome` says what the experiment gave."""
    return Verdict(Status.NOT_YET, outcome, hint)


def chosen(
    answer: Any,
    right: Any,
    outcome: str,
    hints: Mapping[Any, str],
    otherwise: str = "Answer with one of the numbers 1, 2 and 3.",
) -> Verdict:
    """Judge a choice: there is one right answer, and hints for some wrong ones."""
    if answer == right:
        return solved(outcome)
    fitting = (hint for wrong, hint in hints.items() if answer == wrong)
    return not_yet(next(fitting, otherwise), outcome)


@dataclass(frozen=True)
class Exercise:
    """One exercise of a notebook. Its key is the notebook's number and its own, as in 05.1.

    `hints` come one after the other; after the last one the box shows `solution`, Python for the
    answer cell, and `because`, which explains it. `judge` gets the answer and what the notebook's
    experiment found.
    """

    key: str
    hints: tuple[str, ...]
    solution: str
    because: str
    judge: Callable[..., Verdict]

    @property
    def number(self) -> int:
        return int(self.key.partition(".")[2])

    @property
    def answer(self) -> str:
        """The name that the learner gives a value to: that of the judge's first argument."""
        return next(iter(signature(self.judge).parameters))


_exercises: dict[str, Exercise] = {}


def exercise(
    key: str, *, hints: tuple[str, ...], solution: str, because: str
) -> Callable[[Callable[..., Verdict]], Exercise]:
    """Make an exercise of the function that judges its answers."""

    def make(judge: Callable[..., Verdict]) -> Exercise:
        _exercises[key] = Exercise(key, hints, solution.strip("\n"), because, judge)
        return _exercises[key]

    return make


def find(key: str) -> Exercise:
    """The exercise of a key. Raises UsageError if there is none."""
    if key not in _exercises:
        notebook = key.partition(".")[0]
        known = ", ".join(str(each.number) for each in of_notebook(notebook))
        raise UsageError(f"number is that of an exercise here, {known or 'none'}, not {key}")
    return _exercises[key]


def of_notebook(number: str) -> list[Exercise]:
    """The exercises of a notebook, in their order."""
    return [each for key, each in sorted(_exercises.items()) if key.startswith(f"{number}.")]


def is_open(answer: Any) -> bool:
    """Whether nothing was answered: the three dots of the answer cell are still there.

    They may be the answer itself, stand in a container, or in the code of a function.
    """
    if answer is ...:
        return True
    if isinstance(answer, Mapping):
        return any(map(is_open, [*answer, *answer.values()]))
    if isinstance(answer, list | tuple | set | frozenset):
        return any(map(is_open, answer))
    code = getattr(answer, "__code__", None)
    return code is not None and _has_dots(code)


def _has_dots(code: CodeType) -> bool:
    return any(
        const is ... or (isinstance(const, CodeType) and _has_dots(const))
        for const in code.co_consts
    )


def judged(exercise: Exercise, answer: Any, **found: Any) -> Verdict:
    """Judge an answer. An exception of the learner's code is a verdict too: nothing is raised."""
    try:
        return Verdict(Status.OPEN) if is_open(answer) else exercise.judge(answer, **found)
    except KafkaError as exc:
        return not_yet(f"Your answer could not be tried, because Kafka did not answer: {exc}")
    except TimeoutError as exc:
        return not_yet(f"The check waited for something that did not happen: {exc}")
    except (Exception, SystemExit) as exc:  # not KeyboardInterrupt: that is the stop button's
        cause = exc.__cause__ if isinstance(exc, DataError) and exc.__cause__ else exc
        text = f"{type(cause).__name__}: {text_of(cause)}{_line(cause)}"
        return not_yet(f"Your answer raised {text}")


def _line(exc: BaseException) -> str:
    """The line of the learner's code that raised `exc`, if it is known."""
    frames = traceback.extract_tb(exc.__traceback__)
    lines = [frame.line for frame in frames if "ipykernel" in frame.filename and frame.line]
    return f", in the line: {lines[-1]}" if lines else ""
