"""JupyterLab in a real browser, with a broker and notebooks of the test's own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.lab import FAR, Lab
from tests.browser.notebook import Notebook
from tests.browser.pictures import Pictures

# Chromium asks nobody, and draws without a graphics card.
_SWITCHES = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
_RULE = f"--host-resolver-rules=MAP {FAR} 127.0.0.1"


# For the package, not for the run: while Playwright is there, an event loop runs in this thread.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """What CLICKLIB_CHROMIUM names, the system's Chromium, or Playwright's own."""
    with sync_playwright() as playwright:
        candidates = [
            os.environ.get("CLICKLIB_CHROMIUM"),
            "/usr/bin/chromium",
            shutil.which("chromium"),
            playwright.chromium.executable_path,
        ]
        found = next((path for path in candidates if path and Path(path).exists()), None)
        if found is None:
            pytest.skip("no Chromium: install one, or name one in CLICKLIB_CHROMIUM")
        browser = playwright.chromium.launch(
            executable_path=found, args=[*_SWITCHES.split(), _RULE]
        )
        yield browser
        browser.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave it to Playwright to end what takes too long: no other way spares its connection."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(900))


@contextmanager
def new_window(browser: Browser) -> Iterator[Page]:
    """A window of a laptop's size."""
    with browser.new_context(viewport={"width": 1280, "height": 720}) as context:
        yield context.new_page()


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[Page]:
    """The module's window, on whatever it starts."""
    with new_window(browser) as page:
        yield page


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    """Screenshots, in the folder that CLICKLIB_SCREENSHOTS names; without it none are taken."""
    return Pictures(os.environ.get("CLICKLIB_SCREENSHOTS"))


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Lab]:
    """One JupyterLab for all files, and below it one broker, which goes with it."""
    lab = Lab(tmp_path_factory.mktemp("lab"))
    lab.start()
    yield lab
    lab.stop()


@pytest.fixture(scope="package")
def reader(browser: Browser, lab: Lab) -> Iterator[Notebook]:
    """The one window on that JupyterLab."""
    with new_window(browser) as page:
        yield Notebook(page, lab)


@pytest.fixture
def notebook(reader: Notebook) -> Iterator[Notebook]:
    """A window that must show no error in its console and ask no other machine."""
    yield reader
    reader.end()
    reader.assert_clean()


@pytest.fixture
def write(lab: Lab, request: pytest.FixtureRequest) -> Callable[[list[str]], str]:
    """Make a notebook named after the test."""

    def make(cells: list[str]) -> str:
        return lab.write(f"{request.function.__name__}.ipynb", cells)

    return make
