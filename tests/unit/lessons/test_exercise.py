"""How an answer is judged: open, not yet, solved, and what is said when it raises."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from clicklib import CallbackError, KafkaError, Tester, clicks
from clicklib.lessons import exercises
from clicklib.lessons.course import COURSE
from clicklib.lessons.exercise import (
    Exercise,
    Status,
    Verdict,
    chosen,
    is_open,
    judged,
    not_yet,
    of_notebook,
    solved,
)


def returns_dots() -> Any:
    return ...


def has_dots_inside() -> Any:
    def inner() -> Any:
        return ...

    return inner


def is_done() -> int:
    """Dots in a text are not an answer that is missing: ..."""
    return 1


@pytest.mark.parametrize(
    "answer",
    [..., {"user-8", ...}, {"user-3": ...}, {...: 1}, [[...]], returns_dots, has_dots_inside],
)
def test_dots_are_an_open_answer(answer: Any) -> None:
    assert is_open(answer)


@pytest.mark.parametrize("answer", [None, 0, "...", [], {}, is_done, partial(is_done), object()])
def test_anything_else_is_an_answer(answer: Any) -> None:
    assert not is_open(answer)


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def asked(judge: Any) -> Exercise:
    return Exercise("99.1", ("A hint.",), "guess = 1", "It is one.", judge)


def judge_number(guess: int, found: int) -> Verdict:
    return solved("One.") if guess == found else not_yet(f"Not {guess}.", f"It is {found}.")


def test_a_verdict_has_the_outcome_right_or_wrong_and_not_while_it_is_open() -> None:
    assert judged(asked(judge_number), 1, found=1) == Verdict(Status.SOLVED, "One.")
    wrong = Verdict(Status.NOT_YET, "It is 1.", "Not 2.")
    assert judged(asked(judge_number), 2, found=1) == wrong
    assert judged(asked(judge_number), ..., found=1) == Verdict(Status.OPEN)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (2, Verdict(Status.SOLVED, "Two.")),
        (1, Verdict(Status.NOT_YET, "Two.", "More.")),
        (7, Verdict(Status.NOT_YET, "Two.", "Choose.")),
        ([1], Verdict(Status.NOT_YET, "Two.", "Choose.")),
    ],
)
def test_a_choice_has_one_right_answer_and_hints_for_some_others(
    answer: Any, verdict: Verdict
) -> None:
    assert chosen(answer, 2, "Two.", {1: "More.", 2: "Never."}, "Choose.") == verdict


def test_an_open_answer_makes_no_experiment() -> None:
    def judge(answer: Any, experiment: Any) -> Verdict:
        experiment()
        raise AssertionError

    assert judged(asked(judge), returns_dots, experiment=None).status is Status.OPEN


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ZeroDivisionError("by zero"), "Your answer raised ZeroDivisionError: by zero"),
        (SystemExit(3), "Your answer raised SystemExit: 3"),
        (Unspeakable(), "Your answer raised Unspeakable: <Unspeakable>"),
        (KafkaError("gone"), "Your answer could not be tried, because Kafka did not answer: gone"),
        (TimeoutError("all counted"), "waited for something that did not happen: all counted"),
    ],
)
def test_an_answer_that_raises_is_not_solved_yet(error: BaseException, said: str) -> None:
    def judge(answer: Any) -> Verdict:
        raise error

    verdict = judged(asked(judge), 1)
    assert verdict.status is Status.NOT_YET
    assert said in verdict.hint


def test_an_answer_without_end_is_not_solved_yet() -> None:
    answer: list[Any] = []
    answer.append(answer)
    assert "RecursionError" in judged(asked(judge_number), answer, found=1).hint


def test_the_error_of_a_callback_is_the_learner_s_own() -> None:
    def broken(ctx: Any, msg: str) -> None:
        ctx.value().clicks += 1

    def judge(answer: Any) -> Verdict:
        with pytest.raises(CallbackError):
            Tester(clicks.graph(answer)).consume(clicks.TOPIC, "user-3", "now")
        Tester(clicks.graph(answer)).consume(clicks.TOPIC, "user-3", "now")
        raise AssertionError

    hint = judged(asked(judge), broken).hint
    assert hint.startswith("Your answer raised AttributeError: 'NoneType' object has no")


def test_each_exercise_belongs_to_a_notebook_and_is_counted_from_one() -> None:
    exercises.load()
    for chapter in COURSE:
        numbers = [each.number for each in of_notebook(chapter.number)]
        assert numbers == list(range(1, len(numbers) + 1))


def test_each_solution_gives_the_answer_its_value() -> None:
    for each in (each for chapter in COURSE for each in of_notebook(chapter.number)):
        assert each.answer in compile(each.solution, each.key, "exec").co_names
