"""A JupyterLab server of the test's own."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from clicklib import broker
from tests.browser.server import Server, free_ports

FAR = "jupyter.example"
"""The name of a machine that the browsers of these tests find here."""

_NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


class Lab:
    """A JupyterLab server over an empty folder.

    `host` is the name under which the browser knows it, and `base` the path, as behind a proxy.
    """

    def __init__(self, folder: Path, host: str = "127.0.0.1", base: str = "/") -> None:
        self.host, self._base = host, base
        self.root = folder / "root"
        self.root.mkdir()
        self._token = secrets.token_hex(16)
        self._log = folder / "lab.log"
        [self._port] = free_ports(1)
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
            "CLICKLIB_KAFKA_IDLE": "60",  # it stays from one kernel to the next
        }

    def start(self) -> None:
        """Start it, and wait until it answers."""
        local = self._address.replace(self.host, "127.0.0.1")
        self._server = Server(
            self._command(),
            f"{local}api?token={self._token}",
            log=self._log,
            folder=self.root,
            environment=self._environment,
        )

    def _command(self) -> list[str]:
        root = f"--ServerApp.root_dir={self.root}"
        return [sys.executable, "-m", "jupyterlab", "--allow-root", root, *self._switches()]

    def _switches(self) -> list[str]:
        switches = (
            "--no-browser --expose-app-in-browser --ServerApp.port_retries=0 "
            f"--ServerApp.ip=127.0.0.1 --ServerApp.port={self._port} "
            f"--IdentityProvider.token={self._token} --ServerApp.base_url={self._base} "
            f"--ServerApp.allow_remote_access={self.host != '127.0.0.1'}"
        )
        return switches.split()

    def stop(self) -> None:
        self._server.stop()
        command = [sys.executable, "-m", "clicklib", "broker", "stop"]
        subprocess.run(command, env=self._environment, check=True, stdout=subprocess.DEVNULL)

    @property
    def _address(self) -> str:
        return f"http://{self.host}:{self._port}{self._base}"

    def url(self, notebook: str) -> str:
        return f"{self._address}lab/tree/{notebook}?token={self._token}&reset"

    def copy(self, name: str, typed: Mapping[str, str] | None = None) -> str:
        """Put one of the project's notebooks, named without its ending, into the folder.

        `typed` is what a learner has typed into cells, by their ids.
        """
        book = json.loads((_NOTEBOOKS / f"{name}.ipynb").read_text("utf-8"))
        for cell in book["cells"]:
            cell["source"] = (typed or {}).get(cell["id"], cell["source"])
        (self.root / f"{name}.ipynb").write_text(json.dumps(book), "utf-8")
        for folder in ("pictures", "../docs"):
            to = self.root / Path(folder).name
            shutil.copytree(_NOTEBOOKS / folder, to, dirs_exist_ok=True)
        return f"{name}.ipynb"

    def write(self, name: str, cells: list[str]) -> str:
        """Make a notebook of code cells; their ids are cell-0, cell-1, …"""
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
