"""`python -m docs.site`: runs every notebook and writes the pages below build/html."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import nbformat
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from clicklib import broker
from docs.site._page import assets, page, title
from docs.site._run import Runner
from docs.site._widgets import Drawing, Sources

ROOT = Path(__file__).parents[2]

# The pages of docs that notebooks link to.
DOCUMENTS = ("glossary", "promises", "reliability", "wire")

INDEX = """\
# The notebooks of clicklib

These pages were made by running each notebook from top to bottom. To press the buttons, and to do
the exercises, run the notebooks in JupyterLab: `make lab`.

"""

# After these cells the pages press buttons, where a reader of the notebook would.
PRESSES = {
    "dashboard": """\
# For this page, in place of your presses.
import time

for i in range(10):
    for _ in range(i + 1):
        dashboard.pad.click(f"user-{i}")

while sum(row.clicks for _, row in view.items()) < 55:
    time.sleep(0.05)
"""
}


@contextmanager
def fresh_machine() -> Iterator[Path]:
    """A folder for kernels, and for a local Kafka of their own in which nothing happened yet."""
    with tempfile.TemporaryDirectory() as folder:
        before = dict(os.environ)
        os.environ["CLICKLIB_JARS"] = str(broker.fetch())
        os.environ["CLICKLIB_HOME"] = str(Path(folder, "home"))
        os.environ["XDG_CACHE_HOME"] = str(Path(folder, "cache"))
        os.environ.pop("CLICKLIB_BROKERS", None)
        try:
            yield Path(folder)
        finally:
            broker.stop()
            os.environ.clear()
            os.environ.update(before)


def add_presses(book: NotebookNode) -> None:
    for cell in [cell for cell in book.cells if cell.id in PRESSES]:
        press = new_code_cell(PRESSES[cell.id])
        book.cells.insert(book.cells.index(cell) + 1, press)


def build(notebooks: list[Path], target: Path) -> list[str]:
    """Run the notebooks and write their pages and an index; what failed, one text a notebook."""
    target.mkdir(parents=True, exist_ok=True)
    sources, failed, lines = Sources(), [], []
    with fresh_machine() as folder:
        for number, path in enumerate(notebooks):
            begin, book = time.monotonic(), nbformat.read(path, as_version=4)
            lines.append(f"{number}. [{title(book)}]({path.name})")
            add_presses(book)
            runner = Runner(book, folder)
            try:
                runner.execute()
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                failed.append(f"{path.name}: {error}")
            html = page(book, Drawing(runner.states, sources))
            target.joinpath(f"{path.stem}.html").write_text(html, "utf-8")
            click.echo(f"{path.stem:<34} {time.monotonic() - begin:4.0f} s")
    texts = {name: (ROOT / f"docs/{name}.md").read_text("utf-8") for name in DOCUMENTS}
    texts["index"] = INDEX + "\n".join(lines)
    files = assets()
    for name, text in texts.items():
        files[f"{name}.html"] = page(
            new_notebook(cells=[new_markdown_cell(text)]), Drawing({}, sources)
        )
    files |= {"widgets.js": sources.scripts, "widgets.css": sources.styles}
    for name, text in files.items():
        target.joinpath(name).write_text(text, "utf-8")
    for folder in {path.parent / "pictures" for path in notebooks}:
        if folder.is_dir():
            shutil.copytree(folder, target / "pictures", dirs_exist_ok=True)
    return failed


@click.command()
@click.argument("notebooks", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--to", "target", type=click.Path(path_type=Path), default=ROOT / "build/html")
def main(notebooks: tuple[Path, ...], target: Path) -> None:
    """Run NOTEBOOKS, by default all, and write pages of them that need no Jupyter."""
    failed = build(list(notebooks) or sorted(ROOT.glob("notebooks/*.ipynb")), target)
    click.echo(f"Open {(target / 'index.html').resolve().as_uri()}")
    for text in failed:
        click.echo(f"\nFailed: {text}", err=True)
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
