"""Jupyter on another machine: behind a name that is not this machine's, below a path."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.lab import FAR, Lab
from tests.browser.notebook import Notebook, total, wait_total
from tests.browser.test_first_notebook import NAME, wait_ready

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
    with notebook.page.expect_popup() as opened:
        notebook.page.get_by_role("link", name="the same through Jupyter").click()
    page = opened.value
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


@pytest.mark.long
def test_the_first_notebook_runs_below_a_path(notebook: Notebook, far: Lab) -> None:
    notebook.open(far.copy(NAME))
    notebook.run_all()
    assert notebook.errors() == {}
    wait_ready(notebook)
    notebook.page.locator(".clicklib-dashboard").evaluate("each => each.scrollIntoView()")
    before = total(notebook)
    notebook.page.get_by_role("button", name="user-3").first.click()
    wait_total(notebook, before + 1)
