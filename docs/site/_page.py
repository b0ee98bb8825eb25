"""A notebook that ran, as a page that asks no other machine."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import plotly.io
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from docs.site._widgets import Drawing

_HERE = Path(__file__).parent
_PLOT = "application/vnd.plotly.v1+json"
_WIDGET = "application/vnd.jupyter.widget-view+json"
_ANCHOR = re.compile(r'(<h\d id="|class="anchor-link" href="#)([^"]+)')
_LINK = re.compile(r"\]\((?:\.\./docs/)?([^():/]+)\.(?:ipynb|md)(#[^)]*)?\)")


def exporter() -> HTMLExporter:
    return HTMLExporter(
        template_name=_HERE.name,
        extra_template_basedirs=[str(_HERE.parent)],
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )


def title(book: NotebookNode) -> str:
    """The first heading."""
    text = "\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    found = re.search(r"^# (.+)$", text, re.MULTILINE)
    return found[1] if found else ""


def page(book: NotebookNode, drawing: Drawing) -> str:
    """The HTML of a notebook; it is changed by this."""
    for cell in book.cells:
        if cell.cell_type == "markdown":
            cell.source = _LINK.sub(r"](\1.html\2)", cell.source)
        for output in cell.get("outputs", ()):
            if _PLOT in output.get("data", ()):
                book.metadata.has_plot = True
                _put(output, _plot(output.data[_PLOT]))
            elif _WIDGET in output.get("data", ()):
                book.metadata.has_widget = True
                _put(output, drawing.html(output.data[_WIDGET]["model_id"]))
    book.metadata.title = title(book)
    html, _ = exporter().from_notebook_node(book)
    return _ANCHOR.sub(lambda found: found[1] + _as_on_github(found[2]), html)


def _as_on_github(anchor: str) -> str:
    """The name that GitHub gives to a heading's anchor, by which the notebooks link to it."""
    return re.sub(r"[^\w-]", "", unescape(anchor).lower())


def _put(output: NotebookNode, html: str) -> None:
    output.data, output.metadata = {"text/html": html}, {"drawn": True}


def _plot(figure: dict[str, Any]) -> str:
    return plotly.io.to_html(
        figure,
        include_plotlyjs=False,
        full_html=False,
        validate=False,
        config={"displaylogo": False, "responsive": True},
    )


def assets() -> dict[str, str]:
    """The files beside the pages: the styles of JupyterLab, and those of the site."""
    folders = [Path(folder) for folder in exporter().template_paths]
    static = next(f / "static" for f in folders if (f / "static" / "theme-dark.css").exists())
    plotly_js = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    files = {
        "lab.css": static / "index.css",
        "light.css": static / "theme-light.css",
        "dark.css": static / "theme-dark.css",
        "site.css": _HERE / "site.css",
        "site.js": _HERE / "site.js",
        "plotly.min.js": plotly_js,
    }
    return {name: path.read_text("utf-8") for name, path in files.items()}
