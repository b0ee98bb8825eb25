"""Programs that a notebook starts beside its kernel."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from pathlib import Path
from typing import Literal

import psutil

from clicklib.broker.detach import detached
from clicklib.engine.at_exit import close_all, closed_at_exit
from clicklib.given import check
from clicklib.lessons import leash

__all__ = ["Program", "at_kernels_end", "temporary_folder"]


class Program:
    """A Python program beside this kernel. It ends with the kernel, however the kernel ends.

        demo = Program("-m", "clicklib", "demo", "--port", "0")

    The arguments are those of the command `python`. Keywords become environment variables. What
    the program prints is read with `lines`.
    """

    def __init__(self, *arguments: str, **environment: str) -> None:
        check(arguments=arguments)
        self._log = temporary_folder(self) / "output.txt"
        self._asked = threading.Lock()  # it is taken when the program has been asked to end
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-u", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
                **detached(),
            )
        at_kernels_end("kill", self._process.pid)
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
        check(text=text)
        printed = self._log.read_text("utf-8", errors="replace")
        return [line for line in printed.splitlines() if text in line]

    def stop(self, timeout: float = 10) -> int:
        """End it as Ctrl-C does, and return its exit code; kill it after `timeout` seconds."""
        check(timeout__wait=timeout)
        if self.running and self._asked.acquire(blocking=False):  # a second Ctrl-C would cut it off
            self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """End it with signal 9, which no program can catch, and return its exit code."""
        self._process.kill()
        return self._process.wait(10)


def temporary_folder(owner: object) -> Path:
    """A new folder, which is deleted when `owner` is no longer used, or at the kernel's end."""
    folder = Path(tempfile.mkdtemp(prefix="clicklib-"))
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return folder


_leash_process: subprocess.Popen[bytes] | None = None


def at_kernels_end(order: Literal["kill", "resume"], pid: int) -> None:
    """Let the leash do this with the process when this kernel has ended, however it ends."""
    global _leash_process
    if _leash_process is None:
        _leash_process = subprocess.Popen(
            [sys.executable, "-I", leash.__file__], stdin=subprocess.PIPE, **detached()
        )
        atexit.register(_let_go, _leash_process)
    assert _leash_process.stdin is not None
    _leash_process.stdin.write(f"{order} {pid}\n".encode())
    _leash_process.stdin.flush()


def _let_go(process: subprocess.Popen[bytes]) -> None:
    """End the leash, which kills its programs: let them end by themselves before."""
    close_all(5.0)
    process.communicate()
