"""The guard of a keeper: it ends the Kafka of a keeper that has died, and starts another keeper.

    python guard.py MARK [COMMAND...]

A keeper that is killed cannot clean up. So every keeper starts this file as a script, and holds
the other end of the script's standard input, a pipe. On every system the pipe ends when the keeper
ends. A keeper that ends by itself first writes FAREWELL into the pipe; then the guard only ends.

MARK is the argument by which the guard finds the keeper's Java processes. COMMAND starts a keeper,
which ends at once if there are no users any more; the guard of a trial has none. The guard imports
nothing of clicklib: it takes 9 MB.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from typing import Any

__all__ = ["FAREWELL", "MAIN", "end", "find", "is_alive", "main", "outliving"]

FAREWELL = b"bye"

MAIN = "kafka.Kafka"  # an argument of Java; the mark is an argument of this script too


def find(mark: str) -> list[Any]:
    """The Kafka processes (psutil's) that have `mark` as one of their arguments."""
    import psutil

    found = []
    for process in psutil.process_iter(["cmdline"]):
        arguments = process.info["cmdline"] or ()
        if mark in arguments and MAIN in arguments:
            found.append(process)
    return found


def is_alive(process: Any) -> bool:
    """Whether a process (psutil's) runs. A zombie does not: it has ended already."""
    import psutil

    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def outliving(processes: list[Any], patience: float) -> list[Any]:
    """Wait for processes (psutil's) to end; return those that still run after `patience` s."""
    deadline = time.monotonic() + patience
    while (processes := [p for p in processes if is_alive(p)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return processes


def end(processes: list[Any], patience: float) -> None:
    """Ask processes to end, and kill those that still run after `patience` seconds."""
    import psutil

    for act, wait in (("terminate", patience), ("kill", 5.0)):
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                getattr(process, act)()
        processes = outliving(processes, wait)


def main(arguments: list[str]) -> None:
    """Wait for the keeper's end, and clean up if it did not write FAREWELL."""
    mark, *command = arguments
    if sys.stdin.buffer.read() == FAREWELL:
        return
    end(find(mark), patience=5.0)
    if command:
        subprocess.Popen(command, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    main(sys.argv[1:])
