"""The box below an exercise: what it says, its hints, and the solution on request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clicklib.lessons.box import ExerciseBox
from clicklib.lessons.exercise import Exercise, Status, Verdict, not_yet, solved
from clicklib.lessons.progress import Progress
from tests.waiting import wait_until


def judge(guess: Any, right: int) -> Verdict:
    return solved(f"It is {right}.") if guess == right else not_yet("Try `one`.", "It is <1>.")


GUESS = Exercise("99.1", ("Small.", "Below 2."), "guess = 1", "One is `1`.", judge)


class Learner:
    """A learner in front of a box."""

    def __init__(self, folder: Path) -> None:
        self.progress, self.namespace = Progress(folder), {}
        self.boxes: list[ExerciseBox] = []

    def check(self, answer: Any) -> ExerciseBox:
        box = ExerciseBox(GUESS, answer, {"right": 1}, self.namespace, self.progress)
        self.boxes.append(box)
        return box

    def buttons(self) -> list[str]:
        """The buttons that can be seen."""
        buttons = self.boxes[-1].children[-1].children
        return [each.description for each in buttons if each.layout.display != "none"]

    def press(self, text: str) -> None:
        assert text in self.buttons()
        for each in self.boxes[-1].children[-1].children:
            if each.description == text:
                each.click()


@pytest.fixture
def learner(tmp_path: Path) -> Any:
    learner = Learner(tmp_path)
    yield learner
    for box in learner.boxes:
        box.close()


def test_it_says_how_the_answer_stands(learner: Learner) -> None:
    assert learner.check(...).text.startswith("○ Exercise 1: open. Put your answer in place")
    assert learner.check(2).text == "✘ Exercise 1: not yet.\nTry `one`.\nIt is <1>."
    assert learner.progress.solved() == {}
    assert learner.check(1).text == "✔ Exercise 1: solved.\nIt is 1."
    assert learner.progress.solved() == {"99.1": "alone"}


def test_hints_come_one_after_the_other_and_the_solution_is_last(learner: Learner) -> None:
    box = learner.check(2)
    assert learner.buttons() == ["Hint 1 of 2"]
    learner.press("Hint 1 of 2")
    assert box.text.endswith("Hint 1 of 2: Small.")
    learner.press("Hint 2 of 2")
    assert box.text.endswith("Hint 1 of 2: Small.\nHint 2 of 2: Below 2.")
    assert learner.buttons() == ["Solution"]
    learner.press("Solution")
    assert box.text.endswith("One is `1`.")
    assert "guess = 1" in box.children[1].value
    assert learner.namespace == {}
    assert box.verdict.status is Status.NOT_YET
    learner.press("Use this solution")
    wait_until("it is judged", lambda: box.verdict.status is Status.SOLVED)
    assert "solved, with the solution." in box.text
    assert learner.namespace["guess"] == 1
    wait_until("the button goes", lambda: learner.buttons() == [])
    assert learner.progress.solved() == {"99.1": "solution"}


def test_a_teacher_may_hide_the_solution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKLIB_SOLUTIONS", "hidden")
    learner = Learner(tmp_path)
    box = learner.check(2)
    learner.press("Hint 1 of 2")
    learner.press("Hint 2 of 2")
    assert learner.buttons() == []
    assert box.text.endswith("Hint 2 of 2: Below 2.\nYour teacher has the solution.")
    assert "guess = 1" not in box.children[1].value
    assert learner.check(1).verdict.status is Status.SOLVED
    assert learner.progress.solved() == {"99.1": "alone"}
    for each in learner.boxes:
        each.close()


def test_a_page_without_widgets_shows_the_same(learner: Learner) -> None:
    bundle = learner.check(2)._repr_mimebundle_()
    assert bundle["text/plain"].startswith("✘ Exercise 1: not yet.")
    assert 'role="status"' in bundle["text/html"]
    assert "<code>one</code>" in bundle["text/html"]
    assert "It is &lt;1&gt;." in bundle["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in bundle
