"""The pins can be installed for each Python of this machine, and clicklib runs there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import pythons

TESTS = ["test_codec.py", "test_imports.py", "test_task.py", "test_tester.py", "stores", "web"]


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = done.stdout.decode(errors="replace")
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{output}"
    return output


def test_the_python_of_this_run_is_one_of_them() -> None:
    assert ".".join(map(str, sys.version_info[:3])) in pythons.found()


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", pythons.found())
def test_the_pins_can_be_installed_and_clicklib_runs(version: str, tmp_path: Path) -> None:
    run(pythons.found()[version], "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    tools = ["pytest", "pytest-timeout"]
    pins = ["-c", pythons.ROOT / "constraints.txt"]
    run(python, "-m", "pip", "install", "-q", *pins, pythons.ROOT, *tools, cwd=tmp_path)
    run(python, "-m", "pip", "check", cwd=tmp_path)

    # Beside a copy of the tests, so that what they import is what was installed.
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(pythons.ROOT / "tests", tmp_path / "tests", ignore=ignore)
    shutil.copy(pythons.ROOT / "pyproject.toml", tmp_path)
    home = run(python, "-c", "import clicklib; print(clicklib.__file__)", cwd=tmp_path)
    assert Path(home.strip()).is_relative_to(tmp_path / "venv")
    chosen = [f"tests/unit/{name}" for name in TESTS]
    run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen, cwd=tmp_path)
