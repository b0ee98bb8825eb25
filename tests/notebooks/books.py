"""The notebooks as the tests see them: their cells, and how to run them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).parents[2] / "notebooks"
NAMES = [path.stem for path in sorted(FOLDER.glob("[0-9]*.ipynb"))]
RAISES = "raises-exception"

# The first notes what a kernel has by itself, the last prints what is left beside it.
BEFORE = """
import threading

_before = set(threading.enumerate())
"""
AFTER = """
import json
import os
import time

import psutil


def _left():
    threads = {t.name for t in set(threading.enumerate()) - _before if t.is_alive()}
    family = psutil.Process().children(recursive=True)
    children = {" ".join(p.cmdline()[:4]) for p in family if p.status() != "zombie"}
    children = {line for line in children if not line.endswith("leash.py")}
    return sorted(n for n in threads if n.startswith(OURS)), sorted(children)


OURS = ("clicklib", "processor", "view", "kafka")
_deadline = time.monotonic() + 5
while any(_left()) and time.monotonic() < _deadline:
    time.sleep(0.05)
print(json.dumps(_left()))
"""


def read(name: str) -> NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def code(book: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in book.cells if cell.cell_type == "code"]


def prose(book: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in book.cells if cell.cell_type == "markdown"]


def errors(cell: NotebookNode) -> list[NotebookNode]:
    """The errors that the cell ended with, when it ran."""
    return [output for output in cell.outputs if output.output_type == "error"]


def printed(cell: NotebookNode) -> list[str]:
    """The lines that the cell printed."""
    texts = [o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stdout"]
    return "".join(texts).splitlines()


def tagged(book: NotebookNode, tag: str) -> Iterator[NotebookNode]:
    return (cell for cell in code(book) if tag in tags(cell))


def client(
    book: NotebookNode, folder: Path, allow_errors: bool = False, timeout: int = 60
) -> NotebookClient:
    """`timeout` is for each cell, in seconds."""
    resources = {"metadata": {"path": str(folder)}}
    return NotebookClient(book, timeout=timeout, allow_errors=allow_errors, resources=resources)


def run(book: NotebookNode, folder: Path, allow_errors: bool = False) -> NotebookNode:
    """Execute all cells in a fresh kernel that works in `folder`."""
    client(book, folder, allow_errors).execute()
    return book
