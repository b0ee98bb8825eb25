"""The reader's copy of the course: what is put there, what is replaced, what is never touched."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from clicklib.cli.handout import FIRST, Handout, State, course
from clicklib.errors import UsageError

SECOND = "notebooks/01_how_to_get_it_running.ipynb"
PICTURE = "notebooks/pictures/00.svg"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A course that a test may make newer."""
    for name in Handout(tmp_path / "nowhere").states():
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(course() / name, path)
    return tmp_path / "source"


@pytest.fixture
def handout(tmp_path: Path, source: Path) -> Handout:
    handout = Handout(tmp_path / "mine", source)
    handout.put()
    return handout


def edit(path: Path, **changes: Any) -> None:
    """Change a notebook's first cell of code."""
    book = json.loads(path.read_text("utf-8"))
    cell = next(each for each in book["cells"] if each["cell_type"] == "code")
    cell.update(changes)
    path.write_text(json.dumps(book), "utf-8")


def test_all_of_the_course_is_put_there_as_it_is(handout: Handout) -> None:
    assert set(handout.states().values()) == {State.SAME}
    for name in handout.states():
        assert (handout.folder / name).read_bytes() == (course() / name).read_bytes()


def test_what_the_notebooks_link_to_is_there(handout: Handout) -> None:
    for path in sorted(handout.folder.glob("notebooks/*.ipynb")):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells)
        for target in re.findall(r"\]\(([^)#\s]+)", text):
            assert "://" in target or (path.parent / target).exists(), (path.name, target)


def test_what_was_only_run_is_not_changed(handout: Handout) -> None:
    ran = [{"output_type": "stream", "name": "stdout", "text": ["1\n"]}]
    edit(handout.folder / FIRST, execution_count=7, outputs=ran, metadata={"scrolled": True})
    assert handout.states()[FIRST] is State.SAME
    edit(handout.source / FIRST, source=["newer = 1\n"])
    assert handout.states()[FIRST] is State.OLD


@pytest.mark.parametrize("update", [False, True])
def test_what_the_reader_has_changed_is_never_replaced(handout: Handout, update: bool) -> None:
    edit(handout.folder / FIRST, source=["mine = 1"])
    (handout.folder / PICTURE).write_text("<svg/>", "utf-8")
    mine = [(handout.folder / name).read_bytes() for name in (FIRST, PICTURE)]
    assert handout.states()[FIRST] is State.CHANGED
    edit(handout.source / FIRST, source=["newer = 1"])
    (handout.source / PICTURE).write_text("<svg></svg>", "utf-8")
    for _ in range(2):
        assert handout.states()[FIRST] is handout.states()[PICTURE] is State.KEPT
        handout.put(update)
    assert [(handout.folder / name).read_bytes() for name in (FIRST, PICTURE)] == mine


def test_what_became_old_is_replaced_when_asked(handout: Handout) -> None:
    edit(handout.source / FIRST, source=["newer = 1"])
    old = (handout.folder / FIRST).read_bytes()
    handout.put()
    assert (handout.folder / FIRST).read_bytes() == old
    assert handout.states()[FIRST] is State.OLD
    handout.put(update=True)
    assert set(handout.states().values()) == {State.SAME}
    edit(handout.source / FIRST, source=["newer = 2"])
    assert handout.states()[FIRST] is State.OLD


def test_what_is_gone_is_put_there_again(handout: Handout) -> None:
    (handout.folder / FIRST).rename(handout.folder / "notebooks/mine.ipynb")
    assert handout.states()[FIRST] is State.MISSING
    handout.put()
    assert handout.states()[FIRST] is State.SAME
    assert (handout.folder / "notebooks/mine.ipynb").exists()


@pytest.mark.parametrize("notes", [None, "{", "[]"])
def test_without_its_notes_every_difference_is_the_reader_s(
    handout: Handout, notes: str | None
) -> None:
    path = handout.folder / ".clicklib.json"
    path.unlink() if notes is None else path.write_text(notes, "utf-8")
    edit(handout.source / FIRST, source=["newer = 1"])
    assert handout.states()[FIRST] is State.KEPT
    assert handout.states()[SECOND] is State.SAME


def test_a_broken_notebook_is_the_reader_s(handout: Handout) -> None:
    (handout.folder / FIRST).write_text("<<<<<<< mine", "utf-8")
    assert handout.states()[FIRST] is State.CHANGED


def test_the_course_s_own_folder_is_left_as_it_is(source: Path) -> None:
    before = sorted(source.rglob("*"))
    handout = Handout(source, source)
    handout.put(update=True)
    assert set(handout.states().values()) == {State.SAME}
    assert sorted(source.rglob("*")) == before


def test_a_folder_that_cannot_be_one_is_named(tmp_path: Path, source: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot be kept in .*file.*name another folder"):
        Handout(tmp_path / "file", source).put()
