"""The leash of a kernel: it tidies up when the kernel has ended, however it ended.

    python leash.py

The kernel holds the other end of standard input, a pipe, and writes orders into it: `kill 123` for
each program that it starts, `resume 123` for a process of others that it suspends. On every system
the pipe ends when the kernel ends, even by `kill -9`. Then the orders are carried out; a killed
program ends even if it is frozen. This file imports nothing of clicklib.
"""

from __future__ import annotations

import contextlib
import sys

__all__ = ["main"]


def main() -> None:
    """Wait for the end of standard input, then carry out the orders."""
    import psutil

    orders = []
    for line in sys.stdin:
        order, pid = line.split()
        with contextlib.suppress(psutil.NoSuchProcess):
            orders.append((order, psutil.Process(int(pid))))
    for order, process in orders:
        # psutil compares the start time too, so a new process with the same number is safe.
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill() if order == "kill" else process.resume()


if __name__ == "__main__":
    main()
