"""`clicklib lab` in a browser: in an empty folder, from the clone and from an installed wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from clicklib.cli.handout import FIRST
from tests.browser.lab import Lab
from tests.browser.notebook import Notebook, press
from tests.browser.server import plain_environment
from tests.support.wheel import ROOT, built_wheel


class Course(Lab):
    """What `clicklib lab` starts, with nothing set but an empty home and where Kafka's jars are."""

    def __init__(self, folder: Path, scripts: Path) -> None:
        super().__init__(folder)
        self._program = str(scripts / ("clicklib.exe" if os.name == "nt" else "clicklib"))
        self.home = folder / "home"
        self.home.mkdir()
        kept = {"CLICKLIB_JARS": self._environment["CLICKLIB_JARS"], "HOME": str(self.home)}
        self._environment = {**plain_environment(), **kept}

    def _command(self) -> list[str]:
        return [self._program, "lab", "--", *self._switches()]

    @property
    def start_page(self) -> str:
        return f"{self._address}?token={self._token}"


@contextmanager
def opened(window: Page, course: Course) -> Iterator[Notebook]:
    """The notebook that JupyterLab opens by itself, with its kernel."""
    course.start()
    try:
        notebook = Notebook(window, course)
        window.goto(course.start_page)
        window.wait_for_url(f"**/lab/tree/{FIRST}*", timeout=60_000)
        notebook.wait_idle()
        yield notebook
        notebook.end()
        notebook.assert_clean()
    finally:
        course.stop()


def assert_it_is_beside_the_others(page: Page) -> None:
    """The notebook's beginning is in sight, and so is the list of the course's notebooks."""
    expect(page.get_by_role("heading", name="Press a button and watch")).to_be_in_viewport()
    expect(page.get_by_role("listitem", name="13_a_class.ipynb")).to_be_in_viewport()


def test_it_leads_to_the_first_notebook(window: Page, tmp_path: Path) -> None:
    course = Course(tmp_path, Path(sysconfig.get_path("scripts")))
    with opened(window, course):
        assert_it_is_beside_the_others(window)
    assert (course.root / "clicklib-course" / FIRST).is_file()
    assert list(course.home.rglob("kafka-*")) == []  # Kafka starts with the notebook


@pytest.mark.long
def test_an_installed_wheel_runs_the_first_notebook(window: Page, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    wheel = built_wheel(tmp_path)
    pins = f"--constraint={ROOT / 'constraints.txt'}"
    install = [scripts / "python", "-m", "pip", "install", "-q", pins, wheel]
    subprocess.run(install, cwd=tmp_path, check=True, timeout=600)

    course = Course(tmp_path, scripts)
    with opened(window, course) as notebook:
        place = notebook.ask("import clicklib; print(clicklib.__file__)")
        assert Path(place).is_relative_to(environment)
        page = notebook.page
        assert_it_is_beside_the_others(page)
        page.evaluate("() => jupyterapp.shell.collapseLeft()")
        notebook.run_all()
        assert notebook.errors() == {}
        press(notebook)
        notebook.unfold()
        notebook.assert_drawn()
        notebook.fold()
        if sys.platform == "linux":  # nothing is outside of the home and of the folder
            assert (course.home / ".local/share/clicklib/kafka-1").is_dir()
