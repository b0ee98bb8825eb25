"""What is remembered of the exercises, and the way that notebook 00 and the command show."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from clicklib.cli import cli
from clicklib.lessons import Way
from clicklib.lessons.course import COURSE
from clicklib.lessons.progress import Progress


@pytest.fixture
def progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Progress:
    monkeypatch.setenv("CLICKLIB_HOME", str(tmp_path))
    return Progress()


def test_the_first_help_is_remembered(progress: Progress, tmp_path: Path) -> None:
    assert progress.solved() == {}
    progress.note("00.1", "hints")
    progress.note("00.1", "alone")
    progress.note("00.2", "solution")
    assert Progress(tmp_path / "progress").solved() == {"00.1": "hints", "00.2": "solution"}
    progress.reset()
    progress.reset()
    assert progress.solved() == {}


def test_files_of_others_hide_nothing(progress: Progress) -> None:
    for key in ("00.1", "00.2", "01.1"):
        progress.note(key, "alone")
    (progress.folder / ".DS_Store").write_bytes(b"\0\xff")
    (progress.folder / ".ipynb_checkpoints").mkdir()
    (progress.folder / "notes.txt").write_text("mine")
    (progress.folder / "00.2").write_bytes(b"\xff")
    assert progress.solved() == {"00.1": "alone", "01.1": "alone"}
    assert str(Way())


def test_where_nothing_can_be_written_nothing_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    progress = Progress(tmp_path / "file" / "progress")
    progress.note("00.1", "alone")
    assert progress.solved() == {}


def test_the_way_says_what_is_solved_and_what_comes_next(progress: Progress) -> None:
    first = str(Way())
    assert "Next: 00 User clicks." in first
    progress.note("00.1", "alone")
    progress.note("00.2", "solution")
    lines = str(Way()).splitlines()
    assert lines[0] == f"{'00 User clicks':37} ✔◐"
    assert "Next: 01 How to get it running." in lines[-1]
    assert lines[-1].startswith("2 of ")
    page = Way()._repr_html_()
    assert all(f'href="{chapter.file}"' in page for chapter in COURSE)
    assert "✔◐" in page


def test_the_command_prints_the_way_and_forgets_it(progress: Progress) -> None:
    progress.note("00.1", "alone")
    said = CliRunner().invoke(cli, ["progress"], catch_exceptions=False).output
    assert "00 User clicks" in said
    assert "✔○" in said
    said = CliRunner().invoke(cli, ["progress", "--reset"], catch_exceptions=False).output
    assert "0 of " in said
    assert progress.solved() == {}
