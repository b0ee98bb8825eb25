"""What a notebook shows while Kafka is fetched."""

from __future__ import annotations

from pathlib import Path

from nbformat.v4 import new_code_cell, new_notebook

from tests.notebooks.books import run

FETCH = """
from clicklib.broker.jars import _bar
with _bar(43 << 20, True) as bar:
    bar.update(1 << 20)
"""


def test_a_notebook_shows_a_bar_and_no_lines(tmp_path: Path) -> None:
    book = run(new_notebook(cells=[new_code_cell(FETCH)]), tmp_path)
    (output,) = book.cells[0].outputs
    assert output.data == {"text/plain": ""}  # the bar, which is gone at the end
