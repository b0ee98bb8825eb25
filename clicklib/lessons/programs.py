"""Programs that a notebook starts beside its kernel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import weakref
from pathlib import Path

import psutil

from clicklib.broker.detach import detached
from clicklib.engine.at_exit import closed_at_exit
from clicklib.lessons import leash

__all__ = ["Program"]


class Program:
    """A Python program beside this kernel. It ends with the kernel, however the kernel ends.

        demo = Program("-m", "clicklib", "demo", "--port", "0")

    The arguments are those of the command `python`. Keywords become environment variables. What
    the program prints is read with `lines`.
    """

    def __init__(self, *arguments: str, **environment: str) -> None:
        log, path = tempfile.mkstemp(prefix="clicklib-program-")
        self._log = Path(path)
        weakref.finalize(self, self._log.unlink, missing_ok=True)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-u", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
                **detached(),
            )
        finally:
            os.close(log)
        _leash(self._process.pid)
        closed_at_exit(self, self.stop)

    def __repr__(self) -> str:
        state = "running" if self.running else f"ended with {self._process.returncode}"
        return f"Program(pid={self.pid}, {state})"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def frozen(self) -> bool:
        """Whether the program is suspended: it runs, but gets no time."""
        return self.running and psutil.Process(self.pid).status() == psutil.STATUS_STOPPED

    def lines(self, text: str = "") -> list[str]:
        """The lines that the program has printed so far and that contain `text`."""
        printed = self._log.read_text("utf-8", errors="replace")
        return [line for line in printed.splitlines() if text in line]

    def stop(self, timeout: float = 10) -> int:
        """End it as Ctrl-C does, and return its exit code; kill it after `timeout` seconds."""
        if self.running:
            self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """End it with signal 9, which no program can catch, and return its exit code."""
        if self.running:
            self._process.kill()
        return self._process.wait(10)


_leashes: list[subprocess.Popen[bytes]] = []  # one at most: it holds all programs of this kernel


def _leash(pid: int) -> None:
    """Let the program with this process id end when this kernel has ended."""
    if not _leashes:
        command = [sys.executable, "-I", leash.__file__]
        _leashes.append(subprocess.Popen(command, stdin=subprocess.PIPE, **detached()))
    pipe = _leashes[0].stdin
    assert pipe is not None
    pipe.write(f"{pid}\n".encode())
    pipe.flush()
