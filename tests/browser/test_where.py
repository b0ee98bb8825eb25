"""Jupyter on another machine: behind a name that is not this machine's, below a path."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.hub import LAB, NOTEBOOK_7, Hub, install
from tests.browser.lab import FAR, Lab
from tests.browser.notebook import Notebook, press
from tests.browser.reader import Reader, at_once, memory
from tests.browser.test_first_notebook import NAME
from tests.browser.test_widgets import START
from tests.support.nodes import new_node, running

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
def test_the_launcher_s_tile_opens_the_page_of_all_users(notebook: Notebook, far: Lab) -> None:
    notebook.open(far.write("tile.ipynb", [START, "emitter.emit_sync('user-3', 'now')"]))
    notebook.run_all()
    assert notebook.errors() == {}
    notebook.page.evaluate("() => jupyterapp.commands.execute('launcher:create')")
    with notebook.page.expect_popup() as opened:
        notebook.page.locator(".jp-LauncherCard").filter(has_text="Clicks").click()
    page = opened.value
    row = page.get_by_role("row").filter(has_text="user-3")
    expect(row).to_contain_text('{"Clicks":1}')
    assert page.url.startswith(f"http://{FAR}:")
    assert page.url.endswith("/deep/er/clicks/")
    page.close()


@pytest.mark.long
def test_the_first_notebook_runs_below_a_path(notebook: Notebook, far: Lab) -> None:
    notebook.open(far.copy(NAME))
    notebook.run_all()
    assert notebook.errors() == {}
    press(notebook)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a hub is installed."""
    if shutil.which("npm") is None:
        pytest.skip("no npm here, which brings the hub's proxy")
    return install(tmp_path_factory.mktemp("installed"))


@pytest.mark.long
def test_a_hub_s_user_presses_a_button_and_opens_the_page(
    window: Page, installed: Path, tmp_path: Path
) -> None:
    hub = Hub(installed, tmp_path)
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
        expect(page.get_by_role("row").filter(has_text="user-3")).to_be_visible()
        assert f"http://{FAR}" in page.url
        assert "/user/ann/proxy/" in page.url
        page.close()
        notebook.end()
        notebook.assert_clean()
    finally:
        hub.stop()


TEN = [f"reader{i}" for i in range(10)]
SHARED = """
c.Spawner.environment["CLICKLIB_BROKERS"] = {brokers!r}
c.Spawner.environment["CLICKLIB_PREFIX"] = lambda spawner: f"{{spawner.user.name}}-"
"""
# MB of a user, and seconds; docs/where.md says what was measured. With room for a busy machine.
LIMITS = {"server": 200, "kernel": 350, "Kafka": 700}
LATE = 240


@pytest.mark.long
@pytest.mark.parametrize("kafka", ["one for each", "one for all"])
def test_ten_users_of_a_hub_begin_at_once(installed: Path, tmp_path: Path, kafka: str) -> None:
    with ExitStack() as ends:
        more = ""
        if kafka == "one for all":
            node = ends.enter_context(new_node(tmp_path, {}))
            ends.enter_context(running(node))
            more = SHARED.format(brokers=node.address)
        hub = Hub(installed, tmp_path, TEN, more)
        hub.start()
        ends.callback(hub.stop)
        readers = at_once([Reader(hub, name) for name in TEN], NAME)
        sizes = [memory(hub.home(name)) for name in TEN]
    for what in readers[0].seconds:
        seconds = sorted(each.seconds[what] for each in readers)
        print(f"{kafka}: {what} after {seconds[0]:.1f} to {seconds[-1]:.1f} s")
        assert seconds[-1] < LATE
    for part, limit in LIMITS.items():
        most = max(each[part] for each in sizes)
        print(f"{kafka}: {part} {sum(each[part] for each in sizes) / 10:.0f} MB, at most {most}")
        assert most < limit
    # The notebook clicks twice; nobody's clicks are counted for another one.
    assert [each.counted for each in readers] == [2] * 10
    assert any(each["Kafka"] for each in sizes) == (kafka == "one for each")
