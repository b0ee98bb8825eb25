"""`clicklib lab` without a browser: what it says, what it checks, what it hands to JupyterLab."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from jupyter_client.kernelspec import KernelSpecManager

from clicklib import broker
from clicklib.cli import cli, doctor
from clicklib.cli.handout import FIRST, Handout, State
from clicklib.errors import LocalBrokerError


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """The commands that this program became, in an empty folder, beside a Kafka that is fetched."""
    commands: list[list[str]] = []

    def become(program: str, command: list[str]) -> None:
        commands.append(command)
        raise SystemExit(0)

    monkeypatch.setattr(os, "execv", become)
    monkeypatch.setattr(os, "name", "posix")
    monkeypatch.setattr(broker, "fetch", lambda: None)
    monkeypatch.setenv("PATH", os.environ["PATH"])  # it is changed, and set back
    monkeypatch.chdir(tmp_path)
    return commands


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["lab", *arguments], env={"CLICKLIB_BROKERS": None})


def root(command: list[str]) -> Path:
    (found,) = (each for each in command if each.startswith("--ServerApp.root_dir="))
    return Path(found.partition("=")[2])


def test_the_notebooks_are_put_there_and_the_first_one_is_opened(
    started: list[list[str]], tmp_path: Path
) -> None:
    result = run()
    assert result.exit_code == 0, result.output
    assert f"The notebooks are in {tmp_path / 'clicklib-course'}\n" in result.output
    (command,) = started
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert root(command) == tmp_path / "clicklib-course"
    assert (root(command) / FIRST).is_file()
    assert f"--LabApp.default_url=/lab/tree/{FIRST}" in command
    assert not [each for each in command if "ip=" in each or "token" in each]


def test_a_folder_that_holds_them_is_taken(
    started: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("here and there")
    monkeypatch.chdir(tmp_path / "here and there")
    run()
    assert [root(command) for command in started] == [tmp_path / "here and there"] * 2


@pytest.mark.parametrize("folder", [[], ["mine"]])
def test_what_follows_goes_to_jupyterlab(started: list[list[str]], folder: list[str]) -> None:
    result = run(*folder, "--", "--no-browser", "--port=8890")
    assert result.exit_code == 0, result.output
    (command,) = started
    assert root(command).name == (folder or ["clicklib-course"])[0]
    assert {"--no-browser", "--port=8890"} <= set(command)


def test_they_are_put_there_for_a_jupyterlab_that_runs_already(
    started: list[list[str]], tmp_path: Path
) -> None:
    result = run("mine", "--put")
    assert (result.exit_code, started) == (0, [])
    assert (tmp_path / "mine" / FIRST).is_file()


def test_an_update_names_what_it_does(started: list[list[str]], tmp_path: Path) -> None:
    run("mine")
    notes = tmp_path / "mine/.clicklib.json"
    (tmp_path / "mine/docs/wire.md").write_text("old", "utf-8")
    (tmp_path / "mine/docs/glossary.md").unlink()
    notes.write_text("{}", "utf-8")
    result = run("mine")
    assert "newer versions of 1 files there: add --update" in result.output
    (tmp_path / "mine/docs/glossary.md").unlink()
    result = run("mine", "--update")
    assert "docs/glossary.md: put there\n" in result.output
    assert "docs/wire.md: kept, for you have changed it" in result.output
    assert "00_user_clicks" not in result.output
    assert (tmp_path / "mine/docs/wire.md").read_text("utf-8") == "old"


def test_without_a_network_it_opens_all_the_same(
    started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise LocalBrokerError("no way to Maven")

    monkeypatch.setattr(broker, "fetch", fail)
    result = run()
    assert "Kafka is not here yet: no way to Maven" in result.output
    assert len(started) == 1


def test_a_folder_that_is_a_file_is_an_error_of_one_line(
    started: list[list[str]], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    result = run("file")
    assert (result.exit_code, started) == (1, [])
    assert result.stderr.startswith("Error: the notebooks cannot be kept in ")
    assert result.stderr.count("\n") == 1


def test_the_check_looks_at_all_of_it_and_changes_nothing(
    started: list[list[str]], tmp_path: Path
) -> None:
    result = run("--check", "mine")
    assert started == list(tmp_path.iterdir()) == []
    lines = result.output.splitlines()
    for name in ("Python", "notebooks", "their folder", "kernel", "widgets", "browser"):
        assert [line for line in lines if line[8:].startswith(f"{name}: ")], name
    count = len(Handout(tmp_path).states())
    assert f"ok      notebooks: {count} files, {count} of them to be put there" in lines


def test_the_check_tells_of_old_and_of_missing_notebooks() -> None:
    assert doctor._notebooks([]).is_missing
    finding = doctor._notebooks([State.SAME, State.OLD, State.KEPT, State.MISSING])
    assert (finding.state, finding.text) == (
        "note",
        "4 files, 1 of them to be put there, 2 newer: see clicklib lab --update",
    )


def test_a_kernel_of_another_python_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert doctor._kernel().state == "ok"
    folder = tmp_path / "kernels/python3"
    folder.mkdir(parents=True)
    spec = '{"argv": ["/elsewhere/bin/python", "-m", "ipykernel_launcher"], "display_name": "x"}'
    (folder / "kernel.json").write_text(spec, "utf-8")
    monkeypatch.setattr(
        KernelSpecManager, "_kernel_dirs_default", lambda self: [str(folder.parent)]
    )
    finding = doctor._kernel()
    assert finding.is_missing
    assert "/elsewhere/bin/python" in finding.text
    assert "ipykernel install --sys-prefix" in finding.text


def test_widgets_that_jupyterlab_does_not_find_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert doctor._extensions().state == "ok"
    monkeypatch.setattr("jupyter_core.paths.jupyter_path", lambda *_: [str(tmp_path)])
    (tmp_path / "anywidget").mkdir()
    finding = doctor._extensions()
    assert finding.is_missing
    assert "--force-reinstall jupyterlab_widgets plotly" in finding.text
