"""Jupyter on another machine: behind a name that is not this machine's, below a path."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.hub import LAB, NOTEBOOK_7, Hub
from tests.browser.lab import FAR, Lab
from tests.browser.notebook import Notebook, press
from tests.browser.test_first_notebook import NAME
from tests.support.wheel import built_wheel

ENDPOINT = """
from clicklib import Endpoint
from clicklib.engine.state import State

class View:
    state = State.RUNNING
    def get(self, key):
        return dict(self.items()).get(key)
    def items(self, prefix=""):
        return [("user-3", 7)]

web = Endpoint(View(), 0).start()
web
"""


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Lab]:
    """A JupyterLab as one on another machine."""
    lab = Lab(tmp_path_factory.mktemp("far"), FAR, "/deep/er/")
    lab.start()
    yield lab
    lab.stop()


@pytest.fixture
def notebook(window: Page, far: Lab) -> Iterator[Notebook]:
    notebook = Notebook(window, far)
    yield notebook
    notebook.end()
    notebook.assert_clean()


def test_the_endpoint_s_page_is_reached_through_jupyter(notebook: Notebook, far: Lab) -> None:
    notebook.open(far.write("page.ipynb", [ENDPOINT]))
    notebook.run_all()
    page = through_jupyter(notebook)
    row = page.get_by_role("row").filter(has_text="user-3")
    expect(row).to_contain_text("7")
    assert page.url.startswith(f"http://{FAR}:")
    assert "/deep/er/proxy/" in page.url
    # Beside the secret path the foreign name is refused, although Jupyter lets it pass.
    ask = "async (path) => (await fetch(path)).status"
    assert page.evaluate(ask, "?prefix=") == 200
    assert page.evaluate(ask, "../?prefix=") == 403
    row.get_by_role("link").click()
    expect(page.locator("body")).to_have_text("7")
    page.close()


def through_jupyter(notebook: Notebook) -> Page:
    """The page behind the second link of the endpoint that the notebook shows."""
    with notebook.page.expect_popup() as opened:
        notebook.page.get_by_role("link", name="the same through Jupyter").click()
    return opened.value


@pytest.mark.long
def test_the_first_notebook_runs_below_a_path(notebook: Notebook, far: Lab) -> None:
    notebook.open(far.copy(NAME))
    notebook.run_all()
    assert notebook.errors() == {}
    press(notebook)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_hub_s_user_presses_a_button_and_opens_the_page(window: Page, tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("no npm here, which brings the hub's proxy")
    hub = Hub(tmp_path)
    hub.install(built_wheel(tmp_path))
    hub.start()
    try:
        hub.log_in(window)
        notebook = Notebook(window, hub)
        for program in (LAB, NOTEBOOK_7):
            notebook.open(f"{program}/{NAME}.ipynb")
            notebook.run_all()
            assert notebook.errors() == {}
            press(notebook)
            notebook.end()
            if program is LAB:
                notebook.assert_clean()
            notebook.forget()  # Notebook 7 complains of its own commands and settings
        notebook.open(f"{LAB}/01_how_to_get_it_running.ipynb")
        notebook.run_all(120)
        assert [*notebook.errors()] == ["differs"]
        page = through_jupyter(notebook)
        expect(page.get_by_role("row").filter(has_text="user-3")).to_be_visible(timeout=60_000)
        assert f"http://{FAR}" in page.url
        assert "/user/ann/proxy/" in page.url
        page.close()
        notebook.end()
        notebook.assert_clean()
    finally:
        hub.stop()
