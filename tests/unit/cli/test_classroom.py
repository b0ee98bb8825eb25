"""`clicklib class` without Kafka: copies for students, and the settings beside them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from clicklib import broker
from clicklib.cli import cli
from clicklib.cli.class_settings import FILE, read_settings, write_settings
from clicklib.cli.handout import FIRST
from clicklib.errors import UsageError

LINES = """
# from the teacher
CLICKLIB_BROKERS=10.0.0.5:9192
CLICKLIB_SASL_PASSWORD=a=b#c
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), env={"CLICKLIB_BROKERS": None})


def test_each_student_gets_a_copy_and_a_prefix(tmp_path: Path) -> None:
    (tmp_path / "settings").write_text(LINES)
    folder, settings = tmp_path / "course", str(tmp_path / "settings")
    result = run("class", "students", str(folder), "anna", "ben", "--settings", settings)
    assert result.exit_code == 0, result.output
    for name in ("anna", "ben"):
        assert (folder / name / FIRST).is_file()
        assert read_settings(folder / name) == {
            "CLICKLIB_BROKERS": "10.0.0.5:9192",
            "CLICKLIB_SASL_PASSWORD": "a=b#c",
            "CLICKLIB_SOLUTIONS": "hidden",
            "CLICKLIB_PREFIX": f"{name}-",
        }
        if os.name == "posix":
            assert stat.S_IMODE((folder / name / FILE).stat().st_mode) == 0o600


def test_what_a_student_has_changed_stays(tmp_path: Path) -> None:
    run("class", "students", str(tmp_path), "anna")
    mine = tmp_path / "anna" / FIRST
    mine.write_text(mine.read_text("utf-8").replace("answer = ...", "answer = 2"), "utf-8")
    result = run("class", "students", str(tmp_path), "anna", "ben")
    assert result.exit_code == 0, result.output
    assert "answer = 2" in mine.read_text("utf-8")
    assert "answer = 2" not in (tmp_path / "ben" / FIRST).read_text("utf-8")


@pytest.mark.parametrize("name", ["../anna", "an na", "ånna", "x" * 41, ".", ".."])
def test_a_name_that_no_topic_can_begin_with_is_refused(tmp_path: Path, name: str) -> None:
    result = run("class", "students", str(tmp_path), "ben", name)
    assert result.exit_code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "line", ["CLICKLIB_JAVA=/bin/sh", "PATH=/bin", "clicklib_brokers=x", "CLICKLIB_HOME=/", "a b"]
)
def test_a_line_that_is_no_setting_of_a_class_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / FILE).write_text(f"CLICKLIB_PREFIX=anna-\n{line}\n")
    with pytest.raises(UsageError, match=r"line 2 of .*class\.env"):
        read_settings(tmp_path)
    assert run("lab", str(tmp_path), "--put").exit_code == 1


def test_lab_takes_the_settings_but_for_those_that_are_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_settings(tmp_path) == {}
    write_settings(tmp_path, {"CLICKLIB_SOLUTIONS": "hidden", "CLICKLIB_PREFIX": "anna-"})
    monkeypatch.setenv("CLICKLIB_PREFIX", "mine-")
    monkeypatch.setenv("CLICKLIB_SOLUTIONS", "")
    monkeypatch.delenv("CLICKLIB_SOLUTIONS")
    seen = {}

    def become(program: str, command: list[str]) -> None:
        seen.update(os.environ)
        raise SystemExit(0)

    monkeypatch.setattr(os, "execv", become)
    monkeypatch.setattr(os, "name", "posix")
    monkeypatch.setattr(broker, "fetch", lambda: None)
    assert run("lab", str(tmp_path)).exit_code == 0
    assert (seen["CLICKLIB_PREFIX"], seen["CLICKLIB_SOLUTIONS"]) == ("mine-", "hidden")
