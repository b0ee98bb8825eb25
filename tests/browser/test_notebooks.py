"""Each notebook as a learner uses it: wrong answers, Run All, buttons, hints, solutions."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Locator, expect

from clicklib.lessons import exercises
from clicklib.lessons.exercise import Exercise, find, of_notebook
from tests.browser.lab import Lab
from tests.browser.notebook import Notebook
from tests.browser.pictures import Pictures
from tests.notebooks.answers import Answers
from tests.notebooks.answers import of_notebook as answers_of
from tests.notebooks.books import AFTER, BEFORE, NAMES, RAISES, code, read, tagged

LIMIT = 150  # seconds for Run All on a machine that is not quiet
# Exercises whose check makes its experiment again for each answer, in the live kernel.
SLOW = {"05.2", "05.3", "08.3"}

exercises.load()


def whispered(notebook: Notebook) -> list[str]:
    """What was written to stderr: warnings, and errors of threads.

    But for the line that says why a processor stopped: it comes from a thread, so it may stand
    in the cell before the one that fails on purpose.
    """
    return [
        line
        for cell in notebook.code()
        for output in cell["outputs"]
        if output.get("name") == "stderr"
        for line in output["text"].splitlines()
        if not re.match("processor [a-z0-9-]+ stopped: ", line)
    ]


def box(notebook: Notebook, number: int) -> Locator:
    """The box below an exercise."""
    boxes = notebook.page.locator(".clicklib-exercise")
    return boxes.filter(has_text=re.compile(rf"Exercise {number}: ", re.DOTALL))


# One question for all of them: each takes its time while pictures are alive.
JUDGED = """
import json
texts = []
for answer in {answers!r}:
    assert get_ipython().run_cell(answer).success, answer
    texts.append(({check}).text)
print(json.dumps(texts))
"""


def assert_each_answer_is_judged(
    notebook: Notebook, exercise: Exercise, answers: Answers, untouched: str, check: str
) -> None:
    """Other answers, typed into the same kernel."""
    typed = [*answers.wrong, *answers.right, untouched]
    texts = json.loads(notebook.ask(JUDGED.format(answers=typed, check=check)))
    hints, many = list(answers.wrong.values()), len(answers.right)
    verdicts = [*["not yet"] * len(hints), *["solved"] * many, "open"]
    for answer, text, verdict in zip(typed, texts, verdicts, strict=True):
        assert f"Exercise {exercise.number}: {verdict}." in text, (answer, text)
    for answer, text, hint in zip(typed, texts, hints, strict=False):
        assert hint in text, answer


def use_the_solution(notebook: Notebook, exercise: Exercise) -> None:
    """Press for each hint, then for the solution, and then let it be used."""
    place = box(notebook, exercise.number)
    for step, hint in enumerate(exercise.hints, start=1):
        place.get_by_role("button", name=f"Hint {step} of").click()
        expect(place.get_by_role("note")).to_contain_text(hint.replace("`", ""))
    place.get_by_role("button", name="Solution").click()
    expect(place.get_by_role("note")).to_contain_text(exercise.because.replace("`", ""))
    place.get_by_role("button", name="Use this solution").click()
    solved = f"Exercise {exercise.number}: solved, with the solution."
    expect(place.get_by_role("status")).to_contain_text(solved)


def press_all_that_is_alive(notebook: Notebook) -> None:
    """A button of each pad, and see Kafka acknowledge the click."""
    for pad in notebook.page.locator(".clicklib-pad").all():
        figures = pad.get_by_role("status").first
        before = acknowledged(figures)
        pad.get_by_role("button", name=re.compile("^user-")).first.click()
        for _ in range(100):
            if acknowledged(figures) > before:
                break
            notebook.page.wait_for_timeout(100)
        assert acknowledged(figures) > before


def acknowledged(figures: Locator) -> int:
    found = re.search(r"acknowledged ([\d,]+)", figures.inner_text())
    return int(found[1].replace(",", "")) if found else 0


def stop_everything(notebook: Notebook) -> None:
    notebook.page.get_by_role("button", name="Stop everything").click()
    said = notebook.page.locator(".clicklib-stop").get_by_role("status")
    expect(said).to_contain_text("Everything is stopped. To go on")
    assert json.loads(notebook.ask(AFTER)) == [[], []]


@pytest.mark.parametrize("name", NAMES)
def test_run_all_keeps_the_answers_and_leaves_everything_alive(
    notebook: Notebook, lab: Lab, pictures: Pictures, name: str
) -> None:
    book, asked, answers = read(name), of_notebook(name[:2]), answers_of(name)
    places, checks = list(tagged(book, "exercise")), list(tagged(book, "check"))
    typed = {
        cell.id: next(iter(answers[exercise.number].wrong))
        for exercise, cell in zip(asked, places, strict=True)
    }
    fails = {cell.id for cell in tagged(book, RAISES)}
    notebook.open(lab.copy(name, typed))
    notebook.ask(BEFORE)
    notebook.run_all(LIMIT)

    errors = notebook.errors()
    assert {cell: error for cell, error in errors.items() if cell not in fails} == {}
    assert set(errors) == fails
    assert [cell["id"] for cell in notebook.code() if not cell["ran"]] == []
    assert {cell: notebook.source(cell) for cell in typed} == typed
    assert whispered(notebook) == []
    notebook.unfold()
    notebook.assert_drawn()
    for exercise in asked:
        hint = next(iter(answers[exercise.number].wrong.values()))
        status = box(notebook, exercise.number).get_by_role("status")
        expect(status).to_contain_text(f"Exercise {exercise.number}: not yet.")
        expect(status).to_contain_text(hint.replace("`", ""))
    notebook.photograph(pictures, name)
    notebook.fold()
    press_all_that_is_alive(notebook)
    for exercise, place, check in zip(asked, places, checks, strict=True):
        if exercise.key not in SLOW:
            assert_each_answer_is_judged(
                notebook, exercise, answers[exercise.number], place.source, check.source
            )
            notebook.run(check.id)
        use_the_solution(notebook, exercise)
    if "stop_button" in code(book)[-1].source:
        stop_everything(notebook)


@pytest.mark.long
@pytest.mark.parametrize("key", sorted(SLOW))
def test_each_answer_to_a_slow_exercise_is_judged(notebook: Notebook, lab: Lab, key: str) -> None:
    (name,) = (name for name in NAMES if name[:2] == key[:2])
    exercise, number = find(key), int(key[3:])
    place = list(tagged(read(name), "exercise"))[number - 1]
    check = list(tagged(read(name), "check"))[number - 1]
    notebook.open(lab.copy(name))
    notebook.run_all(LIMIT)
    assert_each_answer_is_judged(
        notebook, exercise, answers_of(name)[number], place.source, check.source
    )
