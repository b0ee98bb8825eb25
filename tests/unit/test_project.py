"""The files around the package agree with each other and with the package."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.support.pages import anchors

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))]
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def files() -> list[Path]:
    """The project's own files, those that git tracks or would track."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("no git here, or no clone, to tell which files are the project's")
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout
    paths = (ROOT / name for name in names.decode().split("\0") if name)
    return [path for path in paths if path.is_file()]


def by_name(path: Path) -> str:
    return path.name


# What is needed stands in pyproject.toml; the other lists follow it.


def test_environment_yml_lists_what_pyproject_lists() -> None:
    lines = read("environment.yml").splitlines()
    listed = [line.removeprefix("      - ") for line in lines if line.startswith("      - ")]
    assert listed == PROJECT["dependencies"]
    (python,) = re.findall(r"^  - python=([\d.]+)$", read("environment.yml"), re.MULTILINE)
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)


def test_binder_has_the_same_environment_yml() -> None:
    assert read("binder/environment.yml") == read("environment.yml")


NEEDED = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]
MACHINES = [
    {"python_version": version.rpartition(".")[0], "python_full_version": version, **system}
    for version in ("3.11.0", "3.11.15", "3.12.0", "3.13.0", "3.14.0")
    for system in (
        {"sys_platform": "linux", "os_name": "posix", "platform_system": "Linux"},
        {"sys_platform": "darwin", "os_name": "posix", "platform_system": "Darwin"},
        {"sys_platform": "win32", "os_name": "nt", "platform_system": "Windows"},
    )
]


def pins(machine: dict[str, str] | None = None) -> dict[str, str]:
    """The pinned versions by name, on `machine` or else on this one; each name comes once."""
    found: dict[str, str] = {}
    for line in read("constraints.txt").splitlines():
        if not line.startswith("#"):
            pin = Requirement(line)
            if pin.marker is None or pin.marker.evaluate(machine):
                assert pin.name not in found, line
                found[pin.name] = str(pin.specifier).removeprefix("==")
    return found


@pytest.mark.parametrize("requirement", NEEDED)
def test_a_tested_version_is_pinned_and_within_bounds(requirement: str) -> None:
    wanted = Requirement(requirement)
    for machine in MACHINES:
        assert wanted.specifier.contains(pins(machine)[canonicalize_name(wanted.name)])


def test_the_pins_suit_every_python_that_clicklib_supports() -> None:
    """So far as they are installed here, and say which Pythons they suit."""
    here = {canonicalize_name(each.name): each for each in importlib.metadata.distributions()}
    unsuited = [
        f"{name} {version} wants Python {wanted}, not {machine['python_full_version']}"
        for machine in MACHINES
        for name, version in pins(machine).items()
        if (package := here.get(name)) is not None and package.version == version
        if (wanted := package.metadata.get("Requires-Python")) is not None
        if not SpecifierSet(wanted).contains(machine["python_full_version"])
    ]
    assert unsuited == []


def test_what_is_needed_has_a_lower_bound() -> None:
    assert [each for each in NEEDED if ">=" not in each] == []


# The documents.


def python_blocks(path: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", path.read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("path", DOCUMENTS, ids=by_name)
def test_code_in_a_document_compiles_and_imports_what_exists(path: Path) -> None:
    for code in python_blocks(path):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = importlib.import_module(node.module)
                for alias in node.names:
                    name = f"{node.module}.{alias.name}"
                    assert hasattr(module, alias.name) or importlib.import_module(name)


def test_the_readme_s_code_without_kafka_runs() -> None:
    names: dict[str, object] = {}
    ran = [code for code in python_blocks(ROOT / "README.md") if "cluster" not in code]
    for code in ran:
        exec(code, names)
    assert "graph" in names
    assert "tester" in names


@pytest.mark.parametrize("path", DOCUMENTS, ids=by_name)
def test_a_document_s_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        if not target.startswith("https://"):
            name, _, heading = target.partition("#")
            file = path.parent / name if name else path
            assert file.exists(), target
            assert not heading or heading in anchors(file), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=by_name)
def test_a_document_names_targets_that_exist(path: Path) -> None:
    named = re.findall(r"`make ([a-z-]+)", path.read_text("utf-8"))
    assert set(named) <= set(targets())


def targets() -> list[str]:
    return re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE)


def test_the_makefile_has_its_targets() -> None:
    wanted = {"lab", "demo", "test", "lint", "bench", "clean"}
    assert wanted <= set(targets())
    (phony,) = re.findall(r"^\.PHONY: ((?:[a-z-]+ ?)+)$", read("Makefile"), re.MULTILINE)
    assert set(phony.split()) == set(targets())


# The notebooks and everything.


def test_a_notebook_holds_no_outputs() -> None:
    for path in NOTEBOOKS:
        notebook = json.loads(path.read_text("utf-8"))
        assert "widgets" not in notebook["metadata"], path.name
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                assert (cell["outputs"], cell["execution_count"]) == ([], None), path.name


def test_the_container_opens_what_exists() -> None:
    container = json.loads(read(".devcontainer/devcontainer.json"))
    for name in container["customizations"]["codespaces"]["openFiles"]:
        assert (ROOT / name).is_file()
    assert re.findall(r"\S+\.txt", container["postCreateCommand"]) == ["constraints.txt"]
    minor = container["image"].rpartition(":")[2]
    assert f"Programming Language :: Python :: {minor}" in PROJECT["classifiers"]


def test_the_scripts_can_be_run() -> None:
    for name in (".ci/run", "binder/postBuild", "binder/start"):
        assert (ROOT / name).stat().st_mode & 0o111, name
        assert read(name).startswith("#!/usr/bin/env bash\n")


def test_no_file_names_a_path_of_one_machine() -> None:
    one_machine = re.compile(rb"/(?:root|work|home/\w+|Users/\w+|tmp/\w+)/")
    found = [
        f"{path.relative_to(ROOT)}: {match[0].decode()}"
        for path in files()
        if (match := one_machine.search(path.read_bytes()))
    ]
    assert found == []
