"""Each notebook but the first is run once, as a reader would: all is drawn, nothing is left."""

from __future__ import annotations

import json
import re

import pytest

from tests.browser.lab import Lab
from tests.browser.notebook import Notebook
from tests.browser.pictures import Pictures
from tests.notebooks.books import AFTER, BEFORE, NAMES, RAISES, code, read, tagged

LIMIT = 100  # seconds for a whole notebook on a machine that is not quiet
SLOW = {"11_scale_out": 150, "12_failover": 200}  # they kill programs and brokers, and wait


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


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NAMES[1:])
def test_a_notebook_runs_and_all_of_it_is_drawn(
    notebook: Notebook, lab: Lab, pictures: Pictures, name: str
) -> None:
    book = read(name)
    fails = {cell.id for cell in tagged(book, RAISES)}
    last = code(book)[-1].id  # it closes the widgets, so they are looked at before it runs
    notebook.open(lab.copy(name))
    notebook.ask(BEFORE)
    notebook.run_above(last, timeout=SLOW.get(name, LIMIT))
    errors = notebook.errors()
    assert {cell: error for cell, error in errors.items() if cell not in fails} == {}
    assert set(errors) == fails
    notebook.unfold()
    notebook.assert_drawn()
    notebook.photograph(pictures, name)
    notebook.run(last)
    assert set(notebook.errors()) == fails
    assert [cell["id"] for cell in notebook.code() if not cell["ran"]] == []
    assert whispered(notebook) == []
    assert json.loads(notebook.ask(AFTER)) == [[], []]
