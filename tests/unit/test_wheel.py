"""The wheel holds all that a program needs of clicklib, and says what it is."""

from __future__ import annotations

import re
from email.message import Message
from email.parser import Parser
from zipfile import ZipFile

import pytest

from clicklib.cli.handout import Handout
from clicklib.lessons.course import COURSE
from tests.support.wheel import ROOT, built_wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    return ZipFile(built_wheel(tmp_path_factory.mktemp("wheel")))


@pytest.fixture(scope="module")
def metadata(wheel: ZipFile) -> Message:
    (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    return Parser().parsestr(wheel.read(name).decode())


def test_it_holds_the_package_the_course_and_nothing_else(wheel: ZipFile) -> None:
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "clicklib").rglob("*.*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    course = {f"clicklib/course/{name}" for name in Handout(ROOT).states()}
    assert held == package | course
    assert all(f"clicklib/course/notebooks/{chapter.file}" in course for chapter in COURSE)
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
