"""The guard of a keeper: when the keeper has died, ends its Kafka and starts another keeper.

A keeper that is killed cannot clean up. So it starts this file as a script of its own and holds
the other end of its standard input; the end of that pipe is the sign that the keeper has gone,
on every system and however it went. A keeper that ends by itself says so in the pipe before.
It imports nothing of clicklib, to be small: 9 MB until then.

    python guard.py MARK COMMAND...

A Java process belongs to a keeper when MARK is one of its arguments; COMMAND is the keeper's,
and the new one leaves at once where there are no users any more.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from typing import Any

__all__ = ["FAREWELL", "end", "find", "is_alive", "main"]

FAREWELL = b"bye"

_MAIN = "kafka.Kafka"  # tells Java from this script, which has the mark as its argument too


def find(mark: str) -> list[Any]:
    """The Kafka processes (psutil's) that have `mark` as one of their arguments."""
    import psutil

    found = []
    for process in psutil.process_iter(["cmdline"]):
        arguments = process.info["cmdline"] or ()
        if mark in arguments and _MAIN in arguments:
            found.append(process)
    return found


def is_alive(process: Any) -> bool:
    """Whether a process (psutil's) runs. A zombie does not: it waits only to be noticed."""
    import psutil

    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def end(processes: list[Any], patience: float) -> None:
    """Ask processes to end, and kill those that have not after `patience` seconds."""
    import psutil

    for act, wait in (("terminate", patience), ("kill", 5.0)):
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                getattr(process, act)()
        deadline = time.monotonic() + wait
        while (processes := [p for p in processes if is_alive(p)]) and time.monotonic() < deadline:
            time.sleep(0.05)


def main(arguments: list[str]) -> None:
    """Wait for the keeper's end, and do what it would have done."""
    mark, *command = arguments
    if sys.stdin.buffer.read() == FAREWELL:
        return
    end(find(mark), patience=5.0)
    subprocess.Popen(command, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    main(sys.argv[1:])
