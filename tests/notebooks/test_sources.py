"""What a notebook is before it runs: stripped, short, linked, complete, on public names only."""

from __future__ import annotations

import ast
import importlib
import re
import statistics
from collections.abc import Iterator

import pytest
from nbformat import NotebookNode

from tests.notebooks.books import NAMES, RAISES, code, prose, read, tags

TAGS = {"exercise", "solution", "check", RAISES}
NOTEBOOK = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}
DIAGRAM = re.compile(r"```.*?```", re.DOTALL)
each = pytest.mark.parametrize("name", NAMES)


def parsed(name: str) -> Iterator[tuple[NotebookNode, ast.Module]]:
    """The code cells as Python; a magic command is none."""
    for cell in code(read(name)):
        yield cell, ast.parse(cell.source, cell.id)


def nodes(name: str, kind: type[ast.AST]) -> list[ast.AST]:
    return [node for _, tree in parsed(name) for node in ast.walk(tree) if isinstance(node, kind)]


def headings(name: str) -> list[str]:
    texts = (DIAGRAM.sub("", cell.source) for cell in prose(read(name)))
    return [line for text in texts for line in text.splitlines() if line.startswith("#")]


def title(name: str) -> str:
    """08 Testing without Kafka"""
    number, _, words = name.partition("_")
    return f"{number} {words.replace('_', ' ').capitalize().replace('kafka', 'Kafka')}"


def links(name: str) -> str:
    """The line that leads to the previous and the next notebook, from the list of files."""
    at = NAMES.index(name)
    before = [f"[← {title(other)}]({other}.ipynb)" for other in NAMES[:at][-1:]]
    after = [f"[{title(other)} →]({other}.ipynb)" for other in NAMES[at + 1 :][:1]]
    return " · ".join([*before, *after])


def test_the_numbers_are_their_order() -> None:
    assert [name.partition("_")[0] for name in NAMES] == [f"{i:02}" for i in range(len(NAMES))]
    assert len(NAMES) == 10


@each
def test_nothing_of_a_run_is_stored(name: str) -> None:
    book = read(name)
    assert book.metadata == NOTEBOOK
    for cell in code(book):
        assert (cell.outputs, cell.execution_count) == ([], None), cell.id
    for cell in book.cells:
        assert set(cell.metadata) <= {"tags", "jupyter"}, cell.id
        assert set(tags(cell)) <= TAGS, cell.id
        assert "attachments" not in cell, cell.id


@each
def test_cells_have_readable_ids_of_their_own(name: str) -> None:
    ids = [cell.id for cell in read(name).cells]
    assert len(set(ids)) == len(ids)
    assert [id for id in ids if not re.fullmatch(r"[a-z][a-z0-9-]+", id)] == []


@each
def test_cells_are_few_and_short(name: str) -> None:
    cells = code(read(name))
    # Blank lines are the formatter's, two around each function; so is an import of many lines.
    sources = [
        re.sub(r"^from clicklib import \([^)]*\)", "from", c.source, flags=re.M) for c in cells
    ]
    sizes = [sum(bool(line.strip()) for line in source.splitlines()) for source in sources]
    assert 10 <= len(cells) <= 25
    # Two to four lines teach best; those that start programs and watch logs need more.
    assert statistics.median(sizes) <= 8
    assert sum(size <= 10 for size in sizes) >= 0.9 * len(sizes)
    assert max(len(source.splitlines()) for source in sources) <= 25


@each
def test_prose_is_enough_and_not_too_much(name: str) -> None:
    words = sum(len(DIAGRAM.sub("", cell.source).split()) for cell in prose(read(name)))
    assert 600 <= words <= 1800


@each
def test_all_imports_stand_in_the_first_code_cell(name: str) -> None:
    for index, (cell, tree) in enumerate(parsed(name)):
        found = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
        assert bool(found) == (index == 0), cell.id


@each
def test_nothing_is_installed_and_no_path_is_bent(name: str) -> None:
    source = "\n".join(cell.source for cell in code(read(name)))
    for word in ("sys.path", "pip", "conda", "os.chdir"):
        assert not re.search(rf"\b{re.escape(word)}\b", source), word
    assert re.search(r"/(home|root|tmp|work|Users)/|[A-Z]:\\", source) is None
    hosts = set(re.findall(r"https?://([^/:\s\"'}]+)", source))
    assert hosts <= {"localhost", "127.0.0.1"}


@each
def test_clicklib_is_imported_by_its_one_door(name: str) -> None:
    for node in nodes(name, ast.ImportFrom):
        assert node.level == 0
        names = [alias.name for alias in node.names]
        assert "*" not in names
        if node.module.partition(".")[0] == "clicklib":
            assert node.module in ("clicklib", "clicklib.clicks", "clicklib.widgets")
            module = importlib.import_module(node.module)
            # `clicks` is read as a page and lists nothing.
            assert set(names) <= set(getattr(module, "__all__", dir(module)))
    for node in nodes(name, ast.Import):
        assert [a.name for a in node.names if a.name.partition(".")[0] == "clicklib"] == []


@each
def test_no_attribute_with_an_underscore_is_used(name: str) -> None:
    used = {node.attr for node in nodes(name, ast.Attribute)}
    hidden = {attr for attr in used if attr.startswith("_") and not attr.endswith("__")}
    assert hidden == set()


@each
def test_it_opens_with_title_links_aims_and_a_picture(name: str) -> None:
    book = read(name)
    first = code(book)[0]
    opening = "\n".join(cell.source for cell in book.cells[: book.cells.index(first)])
    assert re.match(r"# [A-Z][a-z]+ \w+", opening)
    order = [opening.find(aim) for aim in ("**You will**", "**You will be able to**", "**You need")]
    assert order == sorted(order)
    assert order[0] > 0
    assert "```mermaid" in opening
    assert re.search(r"classDef new fill:#0072b2", opening, re.IGNORECASE), "the new part"
    assert re.search(r":::new\b|^ *class \S+ new$", opening, re.MULTILINE)


@each
def test_headings_say_something(name: str) -> None:
    found = headings(name)
    assert [line for line in found if line.startswith("# ")] == found[:1]
    assert [line for line in found if not re.match(r"#{1,3} \S", line)] == []
    short = [line for line in found if len(line.split()) < 4 and line != "## In practice"]
    assert short == [], "a claim or a deed, not a noun"
    assert 5 <= len(found) <= 20


@each
def test_links_lead_to_the_neighbours_at_top_and_bottom(name: str) -> None:
    cells = prose(read(name))
    assert links(name) in cells[0].source.splitlines()
    assert links(name) == cells[-1].source.splitlines()[-1]
    everywhere = re.findall(r"\]\((\w+)\.ipynb\)", "\n".join(cell.source for cell in cells))
    assert set(everywhere) <= set(NAMES)


@each
def test_a_cell_that_raises_is_announced(name: str) -> None:
    said = ""
    for cell in read(name).cells:
        if cell.cell_type == "markdown":
            said = cell.source
        elif RAISES in tags(cell):
            assert re.search(r"\bfails?\W+on\s+purpose|\braises\b", said), cell.id


@each
def test_an_exercise_is_task_start_solution_and_check(name: str) -> None:
    cells = read(name).cells
    kinds = ["exercise", "solution", "check"]
    marked = [i for i, cell in enumerate(cells) if set(kinds) & set(tags(cell))]
    assert len(marked) in (6, 9, 12), "two to four exercises"
    for number, at in enumerate(marked[::3], start=1):
        task, *rest = cells[at - 1 : at + 3]
        assert task.cell_type == "markdown"
        assert re.match(rf"## Exercise {number}: \S+ ", task.source)
        assert [tags(cell) for cell in rest] == [[kind] for kind in kinds]
        start, solution, check = rest
        assert solution.metadata["jupyter"] == {"source_hidden": True}
        assert start.metadata.get("jupyter") is None
        asserts = [n for n in ast.walk(ast.parse(check.source)) if isinstance(n, ast.Assert)]
        assert asserts, task.source
        assert [ast.unparse(n) for n in asserts if n.msg is None] == [], "each has its message"


@each
def test_only_solutions_are_hidden(name: str) -> None:
    for cell in read(name).cells:
        assert ("jupyter" in cell.metadata) == ("solution" in tags(cell)), cell.id


@each
def test_it_closes_with_recap_practice_and_a_cell_that_stops(name: str) -> None:
    book = read(name)
    found = headings(name)
    recap = [index for index, line in enumerate(found) if line.startswith("## What you ")]
    assert len(recap) == 1
    assert found[recap[0] + 1] == "## In practice"
    last = code(book)[-1]
    started = [node for node in nodes(name, ast.Call) if called(node) in ("start", "Emitter")]
    stopped = [node for node in ast.walk(ast.parse(last.source)) if isinstance(node, ast.Call)]
    if started:
        assert {called(node) for node in stopped} & {"stop", "close", "terminate"}
    end = "\n".join(cell.source for cell in book.cells[-4:] if cell.cell_type == "markdown")
    assert "Kafka" in end, "say what is left in Kafka"


def called(node: ast.AST) -> str:
    """The name that a call calls."""
    target = node.func if isinstance(node, ast.Call) else node
    return getattr(target, "attr", getattr(target, "id", ""))
