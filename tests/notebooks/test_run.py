"""The notebooks run from top to bottom in a fresh kernel, alone, again, and side by side."""

from __future__ import annotations

import asyncio
import json
import os
import time
from copy import deepcopy
from pathlib import Path

import psutil
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from tests.notebooks.books import (
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
from tests.waiting import wait_until

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


view.wait_running()
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


FAMILY = """
import json

import psutil

print(json.dumps([each.pid for each in psutil.Process().children(recursive=True)]))
"""


STUDENTS, AT_WORK = 20, 3  # so many run a cell at a time; the others read, with all parts alive
LATE = 300  # seconds for a cell while twenty kernels share this machine

# Each student clicks as often as their number says. Two clicks of user-3 are those of notebook 00.
COUNT_MINE = """
for _ in range({number}):
    emitter.emit("mine", "now")

emitter.flush()
wait_until("mine are counted", lambda: view.to_frame().Clicks.sum() >= 2 + {number})
print(dict(sorted(view.to_frame().Clicks.items())))
"""
# The team of notebook 05 has counted 630 clicks of its own.
COUNT_OURS = """
for _ in range({number}):
    emitter.emit("mine", "now")

shares()
with View(cluster, group_table(team), clicks.UserCodec(), storage="memory").start() as ours:
    found = ours.wait_running().to_frame().Clicks
print(found["mine"], found.drop("mine").sum())
"""


def is_as_tagged(book: NotebookNode) -> None:
    """The cells tagged so have raised, and no others."""
    raised = [cell.id for cell in code(book) if errors(cell)]
    assert raised == [cell.id for cell in tagged(book, RAISES)]


@pytest.mark.timeout(200)
@cases("name", ["02_count_user_clicks"], [name for name in NAMES if name != "02_count_user_clicks"])
def test_what_it_started_ends_with_its_kernel(home: Path, tmp_path: Path, name: str) -> None:
    book = read(name)
    book.cells.append(new_code_cell(FAMILY))
    begin = time.monotonic()
    run(book, tmp_path)
    assert time.monotonic() - begin < LIMIT
    is_as_tagged(book)
    family = json.loads(printed(book.cells[-1])[-1])
    wait_until("all have ended", lambda: not any(map(psutil.pid_exists, family)))


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", NAMES)
def test_each_cell_may_run_twice(home: Path, tmp_path: Path, name: str) -> None:
    book = read(name)
    again = [deepcopy(cell) for cell in book.cells for _ in range(1 + (cell.cell_type == "code"))]
    for number, cell in enumerate(again):
        cell.id = f"{cell.id}-{number}"
    book.cells = again
    run(book, tmp_path)
    is_as_tagged(book)


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", NAMES)
def test_it_works_after_a_restart_in_the_middle(home: Path, tmp_path: Path, name: str) -> None:
    first, second = read(name), read(name)
    first.cells = first.cells[: len(first.cells) // 2]
    run(first, tmp_path)
    run(second, tmp_path)
    is_as_tagged(second)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["00_user_clicks", "05_partitioning_and_concurrency"])
def test_four_kernels_run_it_at_the_same_time(home: Path, tmp_path: Path, name: str) -> None:
    books = [read(name) for _ in range(4)]

    async def all_of_them() -> None:
        await asyncio.gather(*(client(book, tmp_path).async_execute() for book in books))

    asyncio.run(all_of_them())
    for book in books:
        is_as_tagged(book)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("name", "count", "wanted"),
    [
        ("00_user_clicks", COUNT_MINE, "{{'mine': {number}, 'user-3': 2}}"),
        ("05_partitioning_and_concurrency", COUNT_OURS, "{number} 630"),
    ],
    ids=["00", "05"],
)
def test_a_class_of_twenty_finishes_and_nobody_counts_the_clicks_of_another(
    home: Path, tmp_path: Path, name: str, count: str, wanted: str
) -> None:
    books = {number: read(name) for number in range(1, STUDENTS + 1)}

    async def study(number: int, turns: asyncio.Semaphore) -> None:
        """What a student runs, whose prefix is all that tells them from the others."""
        book = books[number]
        book.cells.insert(-1, new_code_cell(count.format(number=number)))
        kernel = client(book, tmp_path, timeout=LATE)
        environment = {**os.environ, "CLICKLIB_PREFIX": f"student-{number}-"}
        async with kernel.async_setup_kernel(env=environment):
            for index, cell in enumerate(book.cells):
                async with turns:
                    await kernel.async_execute_cell(cell, index)

    async def class_room() -> None:
        turns = asyncio.Semaphore(AT_WORK)
        await asyncio.gather(*(study(number, turns) for number in books))

    asyncio.run(class_room())
    for number, book in books.items():
        is_as_tagged(book)
        assert printed(book.cells[-2]) == [wanted.format(number=number)]


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


@pytest.mark.long
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
        counts["user-3"] += 2  # the notebook's own clicks
