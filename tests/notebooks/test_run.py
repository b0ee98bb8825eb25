"""The notebooks run from top to bottom in a fresh kernel, with the buttons pressed."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

PRESS = """
import json
import time

total = sum(value.clicks for _, value in view.items()) + 11
for button in [*buttons, buttons[3]]:
    button.click()
deadline = time.monotonic() + 20
while sum(value.clicks for _, value in view.items()) < total and time.monotonic() < deadline:
    time.sleep(0.05)
print(json.dumps({user: value.clicks for user, value in view.items()}))
time.sleep(0.5)
print(owners.value)
print(counts.value)
"""


@pytest.fixture
def kernel_home(tmp_path, monkeypatch):
    """A machine on which nothing ran yet, but for the fetched Kafka."""
    from clicklib import broker

    monkeypatch.setenv("CLICKLIB_JARS", str(broker.fetch(progress=False)))
    monkeypatch.setenv("CLICKLIB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CLICKLIB_BROKERS", raising=False)
    return tmp_path


def run(notebook: Path, folder: Path, before_last: str = "") -> nbformat.NotebookNode:
    """Execute the notebook, with the cell `before_last` put in before the one that stops."""
    found = nbformat.read(notebook, as_version=4)
    if before_last:
        found.cells.insert(-1, nbformat.v4.new_code_cell(before_last))
    NotebookClient(found, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    return found


def printed(notebook: nbformat.NotebookNode) -> list[str]:
    """The lines that the cell before the last printed."""
    outputs = notebook.cells[-2].outputs
    return "".join(o.text for o in outputs if o.output_type == "stream").splitlines()


def test_a_press_of_each_button_is_counted_and_a_second_run_goes_on(kernel_home):
    for times in (1, 2):
        table, owners, counts = printed(run(NOTEBOOKS / "00_user_clicks.ipynb", kernel_home, PRESS))
        wanted = {f"user-{i}": times * (1 + (i == 3)) for i in range(10)}
        assert json.loads(table) == wanted
        assert owners.endswith("[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]")
        assert f"user-3: {2 * times}<br>" in counts
