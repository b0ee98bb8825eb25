"""A JupyterHub of the test's own, as its users' administrator would set it up."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page

from clicklib import broker
from tests.browser.lab import FAR
from tests.support.wheel import ROOT

_BESIDE = ["jupyterhub>=5", "notebook>=7"]
_CONFIGURATION = """
c.JupyterHub.bind_url = "http://127.0.0.1:{ports[0]}/"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{ports[1]}/"
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.Authenticator.allow_all = True
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{ports[2]}"
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.SimpleLocalProcessSpawner.home_dir_template = {homes!r} + "/{{username}}"
c.Spawner.args = ["--allow-root", *(f"--{{app}}.expose_app_in_browser=True" for app in {apps})]
c.Spawner.http_timeout = c.Spawner.start_timeout = 120
c.LocalProcessSpawner.interrupt_timeout = 1
c.Spawner.environment = {{"CLICKLIB_JARS": {jars!r}}}
"""


LAB, NOTEBOOK_7 = "lab/tree", "notebooks"
"""The programs that open a notebook, by their paths."""


class Hub:
    """A hub in an environment that has clicklib's wheel, with a proxy by npm."""

    host = FAR

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._bin = folder / "venv/bin"
        self._log = folder / "hub.log"
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
        self._ports = [each.getsockname()[1] for each in sockets]
        for each in sockets:
            each.close()

    def install(self, wheel: Path) -> None:
        """Install the hub and its proxy, and put the notebooks into the home of ann."""
        npm = shutil.which("npm")
        assert npm is not None
        pins = f"--constraint={ROOT / 'constraints.txt'}"
        home = self.folder / "ann"
        home.mkdir()
        for command in (
            [sys.executable, "-m", "venv", self.folder / "venv"],
            [self._bin / "python", "-m", "pip", "install", "-q", pins, wheel, *_BESIDE],
            [npm, "install", "--silent", "--prefix", self.folder, "configurable-http-proxy@5"],
            [self._bin / "clicklib", "lab", home / "course", "--put"],
        ):
            subprocess.run(command, cwd=self.folder, check=True, timeout=600)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        text = _CONFIGURATION.format(
            ports=self._ports,
            proxy=str(self.folder / "node_modules/.bin/configurable-http-proxy"),
            homes=str(self.folder),
            apps=["LabApp", "JupyterNotebookApp"],
            jars=str(broker.fetch(progress=False)),
        )
        (self.folder / "jupyterhub_config.py").write_text(text, "utf-8")
        own = ("CLICKLIB_", "JUPYTER", "IPYTHON", "XDG_", "PYTHON", "VIRTUAL_ENV")
        environment = {key: text for key, text in os.environ.items() if not key.startswith(own)}
        environment["PATH"] = os.pathsep.join([str(self._bin), environment["PATH"]])
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [self._bin / "jupyterhub"],
                env=environment,
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self._ports[0]}/hub/login", timeout=1)
                return
            except OSError:
                assert self._process.poll() is None, self._log.read_text("utf-8")
                time.sleep(0.1)
        raise AssertionError(f"JupyterHub does not answer: {self._log.read_text('utf-8')}")

    def stop(self) -> None:
        """End it; it ends its proxy and the servers of its users."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)

    def log_in(self, page: Page) -> None:
        """Log in as ann, and wait for her JupyterLab."""
        page.goto(f"http://{FAR}:{self._ports[0]}/hub/login")
        page.get_by_label("Username").fill("ann")
        page.get_by_label("Password").fill("any")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/user/ann/lab*", timeout=120_000)

    def url(self, notebook: str) -> str:
        """The address of a notebook of ann's, whose name begins with the program that opens it."""
        program, _, name = notebook.rpartition("/")
        return f"http://{FAR}:{self._ports[0]}/user/ann/{program}/course/notebooks/{name}?reset"
