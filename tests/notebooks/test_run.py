"""The notebooks run from top to bottom in a fresh kernel, alone, again, and side by side."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from tests.notebooks.books import (
    AFTER,
    BEFORE,
    NAMES,
    RAISES,
    client,
    code,
    errors,
    printed,
    read,
    run,
    tagged,
)
from tests.support.long import cases

LIMIT = 150  # seconds for a whole notebook: 60 on a quiet machine, more on one that is not

PRESS = """
import json
import time

import ipywidgets


def _below(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _below(child)


def _total():
    return sum(row.clicks for _, row in view.items())


def _wait(condition, timeout=20):
    deadline = time.monotonic() + timeout
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


found = [w for w in _below(dashboard.pad) if isinstance(w, ipywidgets.Button)]
buttons = {button.description: button for button in found}
_wait(lambda: _total() >= known)
print(json.dumps({user: row.clicks for user, row in view.items()}))
for user in [*(f"user-{i}" for i in range(10)), "user-3"]:
    buttons[user].click()
_wait(lambda: _total() >= known + 11)
print(json.dumps({user: row.clicks for user, row in view.items()}))
dashboard.counts.paint()
print(json.dumps(dashboard.counts.data))
print(list(processor.partitions))
"""


def is_as_tagged(book: NotebookNode) -> None:
    """The cells tagged so have raised, and no others."""
    raised = [cell.id for cell in code(book) if errors(cell)]
    assert raised == [cell.id for cell in tagged(book, RAISES)]


@pytest.mark.timeout(200)
@cases("name", ["02_count_user_clicks"], [name for name in NAMES if name != "02_count_user_clicks"])
def test_it_runs_and_leaves_nothing_running(home: Path, tmp_path: Path, name: str) -> None:
    book = read(name)
    book.cells = [new_code_cell(BEFORE), *book.cells, new_code_cell(AFTER)]
    begin = time.monotonic()
    run(book, tmp_path)
    assert time.monotonic() - begin < LIMIT
    is_as_tagged(book)
    threads, children = json.loads(printed(book.cells[-1])[-1])
    assert threads == []
    assert children == []


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["01_how_to_get_it_running", "05_partitioning_and_concurrency"])
def test_a_second_run_meets_what_the_first_has_left(kernel_home: Path, name: str) -> None:
    for _ in range(2):
        is_as_tagged(run(read(name), kernel_home))


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "names",
    [
        ("00_user_clicks", "01_how_to_get_it_running"),  # in one group
        pytest.param(("03_view_and_emitter", "04_codec"), marks=pytest.mark.long),
    ],
    ids=lambda names: " and ".join(name[:2] for name in names),
)
def test_two_run_at_the_same_time(home: Path, tmp_path: Path, names: tuple[str, str]) -> None:
    books = [read(name) for name in names]

    async def both() -> None:
        await asyncio.gather(*(client(book, tmp_path).async_execute() for book in books))

    asyncio.run(both())
    for book in books:
        is_as_tagged(book)


@pytest.mark.timeout(200)
def test_a_press_of_each_button_is_counted_and_a_second_run_goes_on(kernel_home: Path) -> None:
    counts: dict[str, int] = {}
    for _ in range(2):
        book = read("00_user_clicks")
        at = next(i for i, cell in enumerate(book.cells) if "dashboard = " in cell.source)
        press = f"known = {sum(counts.values())}\n{PRESS}"
        book.cells.insert(at + 1, new_code_cell(press))
        run(book, kernel_home)
        before, after, plot, owned = printed(book.cells[at + 1])
        assert json.loads(before) == counts
        counts = {f"user-{i}": counts.get(f"user-{i}", 0) + 1 + (i == 3) for i in range(10)}
        assert json.loads(after) == counts
        assert dict(json.loads(plot)["bars"]) == counts
        assert owned == "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"
        counts["user-3"] += 1  # the notebook's own click
