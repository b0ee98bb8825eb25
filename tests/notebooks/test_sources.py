"""What a notebook is before it runs: stripped, short, linked, complete, on public names only."""

from __future__ import annotations

import ast
import importlib
import re
import statistics
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbformat import NotebookNode

from clicklib import widgets
from clicklib.cli.handout import Handout
from clicklib.lessons import exercises
from clicklib.lessons.course import COURSE, chapter
from clicklib.lessons.exercise import of_notebook
from docs.site.__main__ import DOCUMENTS
from tests.notebooks import answers
from tests.notebooks.books import FOLDER, NAMES, RAISES, code, prose, read, tags
from tests.support.pages import anchors

exercises.load()

TAGS = {"exercise", "check", RAISES}
NOTEBOOK = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}
DIAGRAM = re.compile(r"```.*?```", re.DOTALL)
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)]+)\)")
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
    """10 Testing without Kafka"""
    return f"{name[:2]} {chapter(name[:2]).title}"


def links(name: str) -> str:
    """The line that leads to the previous and the next notebook, from the list of files."""
    at = NAMES.index(name)
    before = [f"[← {title(other)}]({other}.ipynb)" for other in NAMES[:at][-1:]]
    after = [f"[{title(other)} →]({other}.ipynb)" for other in NAMES[at + 1 :][:1]]
    return " · ".join([*before, *after])


def test_the_numbers_are_their_order() -> None:
    assert [name.partition("_")[0] for name in NAMES] == [f"{i:02}" for i in range(len(NAMES))]
    assert [f"{name}.ipynb" for name in NAMES] == [each.file for each in COURSE]


@each
def test_nothing_of_a_run_is_stored(name: str) -> None:
    book = read(name)
    assert book.metadata == NOTEBOOK
    for cell in code(book):
        assert (cell.outputs, cell.execution_count) == ([], None), cell.id
    for cell in book.cells:
        assert set(cell.metadata) <= {"tags"}, cell.id
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
    assert statistics.median(sizes) <= 4
    _imports, *others = zip(cells, sizes, strict=True)
    assert [cell.id for cell, size in others if size > 10] == []


@each
def test_the_first_picture_comes_after_the_imports_and_one_cell(name: str) -> None:
    imported = {alias.name for node in nodes(name, ast.ImportFrom) for alias in node.names}
    pictures = imported & set(widgets.__all__)
    if not pictures:
        return  # a notebook without live pictures
    second = code(read(name))[1]
    assert [word for word in pictures if f"{word}(" in second.source], second.id


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
            assert node.module in (
                "clicklib",
                "clicklib.breaking",
                "clicklib.clicks",
                "clicklib.lessons",
                "clicklib.widgets",
            )
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
def test_it_opens_with_title_links_aims_time_and_a_picture(name: str) -> None:
    book = read(name)
    first = code(book)[0]
    opening = "\n".join(cell.source for cell in book.cells[: book.cells.index(first)])
    assert re.match(r"# [A-Z][a-z]+ \w+", opening)
    order = [opening.find(aim) for aim in ("**You will**", "**You will be able to**", "**You need")]
    assert order == sorted(order)
    assert order[0] > 0
    needs = opening[order[-1] :].partition("\n\n")[0]
    assert re.search(rf"\b{chapter(name[:2]).minutes}\s+minutes", needs), "as the course says"
    assert IMAGE.search(opening)


@each
def test_pictures_are_there_and_say_in_words_what_they_show(name: str) -> None:
    for alt, file in IMAGE.findall("\n".join(cell.source for cell in prose(read(name)))):
        assert len(alt) > 30, file
        assert (FOLDER / file).is_file()


def test_each_picture_is_drawn_from_its_source_and_used() -> None:
    used = {f for name in NAMES for c in prose(read(name)) for _, f in IMAGE.findall(c.source)}
    sources = sorted((FOLDER / "pictures").glob("*.dot"))
    drawn = {f"pictures/{path.stem}.svg" for path in sources}
    assert used == drawn == {f"pictures/{p.name}" for p in (FOLDER / "pictures").glob("*.svg")}
    for path in sources:
        shown = ElementTree.parse(path.with_suffix(".svg")).iter("{http://www.w3.org/2000/svg}text")
        words = " ".join(text.text or "" for text in shown)
        labels = re.findall(r'\blabel="((?:[^"\\]|\\.)*)"', path.read_text("utf-8"))
        for label in labels:
            for part in filter(None, map(str.strip, re.split(r"\\[nlr]|[|{}]|<\w+>", label))):
                assert part in words, f"{path.name}: run `make diagrams`"


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
def test_links_lead_to_pages_that_every_reader_has(name: str, handed_out: Path) -> None:
    text = "\n".join(cell.source for cell in prose(read(name)))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith("https://"):
            file, _, heading = target.partition("#")
            page = handed_out / "notebooks" / file
            assert page.is_file(), target
            assert not heading or heading in anchors(page), target


def test_the_pages_of_the_notebooks_are_those_that_readers_have(handed_out: Path) -> None:
    assert {path.stem for path in handed_out.glob("docs/*.md")} == set(DOCUMENTS)


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The course as `clicklib lab` puts it into a folder."""
    folder = tmp_path_factory.mktemp("course")
    Handout(folder).put()
    return folder


@each
def test_a_cell_that_raises_is_announced(name: str) -> None:
    said = ""
    for cell in read(name).cells:
        if cell.cell_type == "markdown":
            said = cell.source
        elif RAISES in tags(cell):
            assert re.search(r"\bfails?\W+on\s+purpose|\braises\b", said), cell.id


@each
def test_an_exercise_is_task_answer_and_check(name: str) -> None:
    cells = read(name).cells
    tasks = [i for i, cell in enumerate(cells) if "exercise" in tags(cell)]
    checks = [i for i, cell in enumerate(cells) if "check" in tags(cell)]
    known = of_notebook(name[:2])
    assert 2 <= len(tasks) == len(checks) == len(known) <= 4
    for each_one, task, check in zip(known, tasks, checks, strict=True):
        assert task < check
        text = [cell.source for cell in cells[:task] if cell.source.startswith("## ")][-1]
        assert text.startswith(f"## Exercise {each_one.number}: ")
        assert "..." in cells[task].source
        call = ast.parse(cells[check].source, mode="eval").body
        assert ast.unparse(call.func) == "lesson.check"
        assert [ast.unparse(arg) for arg in call.args] == [str(each_one.number), each_one.answer]
        assert 1 <= len(each_one.hints) <= 4
        assert each_one.because.endswith(".")


@each
def test_only_the_learner_gives_an_answer(name: str) -> None:
    answers = {each_one.answer for each_one in of_notebook(name[:2])}
    for cell, tree in parsed(name):
        if "exercise" not in tags(cell):
            assert answers & set(assigned(tree)) == set(), cell.id


@each
def test_the_answers_of_learners_are_known(name: str) -> None:
    given = answers.of_notebook(name)
    assert list(given) == [each_one.number for each_one in of_notebook(name[:2])]
    for each_one in given.values():
        assert len(each_one.wrong) >= 2
        assert each_one.right


def assigned(tree: ast.Module) -> Iterator[str]:
    """The names that a cell gives a value to in the notebook."""
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            yield statement.name
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


@each
def test_it_closes_with_recap_practice_and_a_button_that_stops(name: str) -> None:
    book = read(name)
    found = headings(name)
    recap = [index for index, line in enumerate(found) if line.startswith("## What you ")]
    assert len(recap) == 1
    assert "## In practice" in found[recap[0] :]
    outside = re.findall(r"\]\((https://[^)]+)\)", "\n".join(c.source for c in prose(book)))
    assert 2 <= len(set(outside)) <= 5, "where to read on"
    started = [n for n in nodes(name, ast.Call) if called(n) in ("start", "Emitter", "Program")]
    if started:
        assert re.fullmatch(r"lesson\.stop_button\([\w, ]*\)", book.cells[-1].source)
        closing = {"close", "stop_everything", "release"}
        assert [c for c in nodes(name, ast.Call) if called(c) in closing] == []
    end = "\n".join(cell.source for cell in book.cells[-4:] if cell.cell_type == "markdown")
    assert "Kafka" in end, "say what is left in Kafka"


def called(node: ast.AST) -> str:
    """The name that a call calls."""
    target = node.func if isinstance(node, ast.Call) else node
    return getattr(target, "attr", getattr(target, "id", ""))
