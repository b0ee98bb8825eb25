"""Two small notebooks and one that fails, for tests of the pages made of notebooks; anchors."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

_PICTURE = """\
<svg xmlns="http://www.w3.org/2000/svg" width="90" height="30"><rect width="90" height="30"/></svg>
"""
_PLOT = [
    new_markdown_cell(
        "# A plot\n\n[next](b_widget.ipynb#a-widget)\n\n"
        "![emitter to user-clicks](pictures/way.svg) [words](../docs/glossary.md) "
        "[promise](../docs/promises.md#2-guarantees-by-name)"
    ),
    new_code_cell("import plotly.express as px\n\npx.line(y=[1, 2, 4])"),
    new_code_cell("answer = ...", metadata={"tags": ["exercise"]}),
    new_code_cell("print('the check ' + 'ran')", metadata={"tags": ["check"]}),
    new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]}),
]

# The picture is drawn by the widgets' own thread, while other cells run and none does.
_WIDGET = [
    new_markdown_cell("# A widget\n\n[back](a_plot.ipynb)"),
    new_code_cell(
        "from types import SimpleNamespace\n\n"
        "import ipywidgets\n\n"
        "from clicklib.engine.state import State\n"
        "from clicklib.widgets import CountsPlot\n\n"
        "table = {}\n"
        "view = SimpleNamespace(state=State.RUNNING, error=None)\n"
        "view.stats = lambda: SimpleNamespace(records_in=len(table))\n"
        "view.get = table.get\n"
        "view.items = lambda stale: table.items()"
    ),
    new_code_cell(
        "plot = CountsPlot(view)\n"
        "button = ipywidgets.Button(description='press <me>')\n"
        "slider = ipywidgets.IntSlider(7, description='rate')\n"
        "tabs = ipywidgets.Tab([plot, slider], titles=['Counts', 'More'])\n"
        "ipywidgets.VBox([tabs, ipywidgets.HBox([button, slider])])"
    ),
    new_code_cell("table |= {'user-3': 5, '<b>user-4</b>': 12}"),
    new_code_cell("plot.close()\ntable.clear()"),
]

_FAILS = [new_markdown_cell("# It fails"), new_code_cell("1 / 0"), new_code_cell("'after it'")]


def notebooks(folder: Path, *, fails: bool = False) -> list[Path]:
    """The two, and before them the one that fails, written into the folder."""
    cells = {"a_plot": _PLOT, "b_widget": _WIDGET}
    cells = {"a_fails": _FAILS, **cells} if fails else cells
    paths = [folder / f"{name}.ipynb" for name in cells]
    (folder / "pictures").mkdir()
    (folder / "pictures/way.svg").write_text(_PICTURE, "utf-8")
    for path in paths:
        nbformat.write(new_notebook(cells=cells[path.stem]), path)
    return paths


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a document."""
    titles = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
