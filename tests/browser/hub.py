"""A JupyterHub of the test's own, as the administrator of its users would set it up."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Page

from clicklib import broker
from tests.browser.lab import FAR
from tests.browser.server import Server, free_ports, plain_environment
from tests.support.wheel import ROOT, built_wheel

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
c.Spawner.environment = {{"CLICKLIB_JARS": {jars!r}, "CLICKLIB_KAFKA_IDLE": "10"}}
c.JupyterHub.services = [{{"name": "tests", "api_token": {token!r}}}]
rights = ["admin:users", "admin:servers", "access:servers"]
c.JupyterHub.load_roles = [{{"name": "tests", "services": ["tests"], "scopes": rights}}]
"""

LAB, NOTEBOOK_7 = "lab/tree", "notebooks"
"""The programs that open a notebook, by their paths."""


def install(folder: Path) -> Path:
    """Install a hub beside clicklib's wheel, and its proxy by npm; return the folder."""
    npm = shutil.which("npm")
    assert npm is not None
    scripts, pins = folder / "venv/bin", f"--constraint={ROOT / 'constraints.txt'}"
    for command in (
        [sys.executable, "-m", "venv", folder / "venv"],
        [scripts / "python", "-m", "pip", "install", "-q", pins, built_wheel(folder), *_BESIDE],
        [npm, "install", "--silent", "--prefix", folder, "configurable-http-proxy@5"],
    ):
        subprocess.run(command, cwd=folder, check=True, timeout=600)
    return folder


class Hub:
    """A hub that `install` has installed, whose users have the notebooks in homes below `folder`.

    `more` are further lines of its configuration.
    """

    host = FAR

    def __init__(
        self, installed: Path, folder: Path, users: Sequence[str] = ("ann",), more: str = ""
    ) -> None:
        self.folder, self.users, self.token = folder, users, secrets.token_hex(16)
        self._installed, self._more = installed, more
        self._ports = free_ports(3)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        scripts = self._installed / "venv/bin"
        for user in self.users:
            put = [scripts / "clicklib", "lab", self.home(user) / "course", "--put"]
            subprocess.run(put, cwd=self.folder, check=True, stdout=subprocess.DEVNULL)
        text = _CONFIGURATION.format(
            ports=self._ports,
            proxy=str(self._installed / "node_modules/.bin/configurable-http-proxy"),
            homes=str(self.folder),
            apps=["LabApp", "JupyterNotebookApp"],
            jars=str(broker.fetch(progress=False)),
            token=self.token,
        )
        (self.folder / "jupyterhub_config.py").write_text(text + self._more, "utf-8")
        environment = plain_environment()
        environment["PATH"] = os.pathsep.join([str(scripts), environment["PATH"]])
        self._server = Server(
            [scripts / "jupyterhub"],
            f"{self.address}hub/login",
            log=self.folder / "hub.log",
            folder=self.folder,
            environment=environment,
        )

    def stop(self) -> None:
        """End it; it ends its proxy and the servers of its users."""
        self._server.stop()

    @property
    def address(self) -> str:
        """Its address on this machine."""
        return f"http://127.0.0.1:{self._ports[0]}/"

    def home(self, user: str) -> Path:
        """The home of a user."""
        return self.folder / user

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
