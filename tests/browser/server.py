"""A web server that a test starts as a program of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

_OWN = ("CLICKLIB_", "JUPYTER", "IPYTHON", "XDG_", "PYTHON", "VIRTUAL_ENV")

_PATIENCE = 180.0  # seconds; a start takes 2 to 10 of them, on a busy machine a minute


def free_ports(number: int) -> list[int]:
    """So many ports of this machine on which nothing listens."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def plain_environment() -> dict[str, str]:
    """The variables of this process without those that the tests' own Python and Jupyter need."""
    return {name: text for name, text in os.environ.items() if not name.startswith(_OWN)}


class Server:
    """A program that answers at `address`. What it prints goes into `log`."""

    def __init__(
        self,
        command: Sequence[str | Path],
        address: str,
        *,
        log: Path,
        folder: Path,
        environment: Mapping[str, str],
    ) -> None:
        with log.open("w") as file:
            self._process = subprocess.Popen(
                command, env=environment, cwd=folder, stdout=file, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(address, timeout=1).close()
                return
            except OSError:
                assert self._process.poll() is None, log.read_text("utf-8")
                time.sleep(0.1)
        self.stop()
        raise AssertionError(f"{command[0]} does not answer: {log.read_text('utf-8')}")

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
