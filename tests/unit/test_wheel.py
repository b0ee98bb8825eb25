"""The wheel holds all that a program needs of clicklib, and says what it is."""

from __future__ import annotations

import re
import subprocess
import sys
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """Built by hatchling itself: pip would fetch hatchling again for it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True, timeout=60)
    (path,) = folder.glob("*.whl")
    return ZipFile(path)


@pytest.fixture(scope="module")
def metadata(wheel: ZipFile) -> Message:
    (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    return Parser().parsestr(wheel.read(name).decode())


def test_it_holds_the_package_and_nothing_else(wheel: ZipFile) -> None:
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "clicklib").rglob("*.*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    needed = {"py.typed", "__init__.pyi", "broker/jars.lock", "web/page.css", "widgets/common.js"}
    assert {f"clicklib/{name}" for name in needed} <= held


def test_its_classifiers_are_the_pythons_that_the_workflow_runs(metadata: Message) -> None:
    classifiers = "\n".join(metadata.get_all("Classifier", []))
    workflow = (ROOT / ".github/workflows/ci.yml").read_text("utf-8")
    (matrix,) = re.findall(r"python: \[(.+)\]", workflow)
    pythons = re.findall(r"^Programming Language :: Python :: (3\.\d+)$", classifiers, re.M)
    assert pythons == re.findall(r"[\d.]+", matrix)
    assert metadata["Requires-Python"] == f">={pythons[0]}"


def test_it_says_its_license_once(metadata: Message) -> None:
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert not [text for text in metadata.get_all("Classifier", []) if text.startswith("License")]
