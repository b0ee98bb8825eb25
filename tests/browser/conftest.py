"""JupyterLab in a real browser, with a broker and notebooks of the test's own."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from clicklib import broker

# Chromium asks nobody, and draws without a graphics card.
_SWITCHES = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
_IDLE = (
    "() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status"
    " === 'idle'"
)


# For a module, not for the run: while Playwright is there, an event loop runs in this thread.
@pytest.fixture(scope="module")
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
        browser = playwright.chromium.launch(executable_path=found, args=_SWITCHES.split())
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh window."""
    with browser.new_context(viewport={"width": 1280, "height": 720}) as context:
        yield context.new_page()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: CLICKLIB_SCREENSHOTS, or a folder of pytest's."""
    named = os.environ.get("CLICKLIB_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Lab:
    """A JupyterLab server over an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.root.mkdir()
        self._token = secrets.token_hex(16)
        self._log = folder / "lab.log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        quiet = folder / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
        quiet.parent.mkdir(parents=True)
        quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}', "utf-8")
        names = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "IPYTHONDIR": "ipython",
            "CLICKLIB_HOME": "clicklib",
        }
        self._environment = {
            **{key: value for key, value in os.environ.items() if key != "CLICKLIB_BROKERS"},
            **{name: str(folder / name_of_folder) for name, name_of_folder in names.items()},
            "XDG_CACHE_HOME": str(folder / "cache"),
            "CLICKLIB_JARS": str(broker.fetch(progress=False)),
        }

    def start(self) -> None:
        switches = (
            "--no-browser --allow-root --expose-app-in-browser --ServerApp.port_retries=0 "
            f"--ServerApp.ip=127.0.0.1 --ServerApp.port={self._port} "
            f"--IdentityProvider.token={self._token}"
        )
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "jupyterlab",
                    *switches.split(),
                    f"--ServerApp.root_dir={self.root}",
                ],
                env=self._environment,
                cwd=self.root,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self._address}/api?token={self._token}", timeout=1)
                return
            except OSError:
                assert self._process.poll() is None, self._log.read_text("utf-8")
                time.sleep(0.1)
        raise AssertionError(f"JupyterLab does not answer: {self._log.read_text('utf-8')}")

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)

    @property
    def _address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def url(self, notebook: str) -> str:
        return f"{self._address}/lab/tree/{notebook}?token={self._token}&reset"

    def write(self, name: str, cells: list[str]) -> str:
        """Make a notebook of code cells."""
        notebook = {
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"cell-{index}",
                    "execution_count": None,
                    "metadata": {},
                    "outputs": [],
                    "source": source,
                }
                for index, source in enumerate(cells)
            ],
            "metadata": {
                "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.root / name).write_text(json.dumps(notebook), "utf-8")
        return name


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Lab]:
    """One JupyterLab for the run, and below it one broker, which goes with the last kernel."""
    lab = Lab(tmp_path_factory.mktemp("lab"))
    lab.start()
    yield lab
    lab.stop()


class Notebook:
    """A notebook in the browser, driven by a reader; notes what none should see."""

    def __init__(self, page: Page, lab: Lab) -> None:
        self.page, self._lab = page, lab
        self.errors: list[str] = []
        self.strangers: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._request)

    def open(self, name: str) -> None:
        self.page.goto(self._lab.url(name))
        self.wait_idle()

    def wait_idle(self) -> None:
        self.page.wait_for_function(_IDLE, timeout=60_000)

    def command(self, name: str, **arguments: Any) -> None:
        """Run a command of JupyterLab's."""
        self.page.evaluate(
            "([name, args]) => void jupyterapp.commands.execute(name, args)", [name, arguments]
        )

    def run_all(self) -> None:
        self.command("notebook:run-all-cells")

    def run_cell(self, index: int) -> None:
        """Run one cell again and wait for its end."""
        self.page.evaluate(
            """async (index) => {
                jupyterapp.shell.currentWidget.content.activeCellIndex = index;
                await jupyterapp.commands.execute("notebook:run-cell");
            }""",
            index,
        )

    def ask(self, code: str) -> str:
        """What `code` prints in the kernel; no cell is touched."""
        return str(
            self.page.evaluate(
                """async (code) => {
                    const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                    const future = kernel.requestExecute({ code, store_history: false });
                    let text = "";
                    future.onIOPub = (message) => {
                        text += message.content.text || message.content.evalue || "";
                    };
                    await future.done;
                    return text.trim();
                }""",
                code,
            )
        )

    def restart(self) -> None:
        self.page.evaluate(
            "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
        )
        self.wait_idle()

    def theme(self, name: str) -> None:
        self.page.evaluate(
            "(theme) => jupyterapp.commands.execute('apputils:change-theme', { theme })", name
        )
        self.page.wait_for_timeout(1_000)

    def end(self) -> None:
        """Shut the kernel down, so that it stops what it started."""
        self.page.evaluate("() => jupyterapp.shell.currentWidget?.sessionContext?.shutdown()")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url')})")

    def _request(self, request: Request) -> None:
        place = urlsplit(request.url)
        if place.scheme not in ("data", "blob") and place.hostname != "127.0.0.1":
            self.strangers.append(request.url)


@pytest.fixture
def notebook(page: Page, lab: Lab) -> Iterator[Notebook]:
    """A page that must show no error in its console and ask no other machine."""
    notebook = Notebook(page, lab)
    yield notebook
    notebook.end()
    assert notebook.errors == []
    assert notebook.strangers == []


@pytest.fixture
def write(lab: Lab, request: pytest.FixtureRequest) -> Callable[[list[str]], str]:
    """Make a notebook named after the test."""

    def make(cells: list[str]) -> str:
        return lab.write(f"{request.function.__name__}.ipynb", cells)

    return make
