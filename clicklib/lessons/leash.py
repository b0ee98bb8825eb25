"""The leash of a kernel's programs: it ends them when the kernel has ended, however it ended.

    python leash.py

The kernel holds the other end of standard input, a pipe, and writes into it the process id of each
program that it starts. On every system the pipe ends when the kernel ends, even by `kill -9`. Then
the programs are killed, also those that are frozen. This file imports nothing of clicklib.
"""

from __future__ import annotations

import contextlib
import sys

__all__ = ["main"]


def main() -> None:
    """Wait for the end of standard input, then kill the programs that still run."""
    import psutil

    programs = []
    for line in sys.stdin:
        with contextlib.suppress(psutil.NoSuchProcess):
            programs.append(psutil.Process(int(line)))
    for program in programs:
        # psutil compares the start time too, so a new process with the same number is safe.
        with contextlib.suppress(psutil.NoSuchProcess):
            program.kill()


if __name__ == "__main__":
    main()
