"""Starts a command that outlives this program, prints its process id, and ends at once.

    python detach.py LOG COMMAND...

A keeper is started in this way. It is not a child of the program that wanted it, so that program
need not wait for the keeper's end. This file imports nothing of clicklib. As a script without
site-packages it takes milliseconds.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

__all__ = ["detached", "main"]


def detached() -> dict[str, Any]:
    """The options of Popen for a process that outlives its parent and never gets its Ctrl-C."""
    if sys.platform == "win32":
        new_group, no_console = 0x200, 0x08000000
        return {"creationflags": new_group | no_console}
    return {"start_new_session": True}


def main(arguments: list[str]) -> None:
    """Start the command, its output added to the log."""
    path, *command = arguments
    with open(path, "ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **detached()
        )
    sys.stdout.write(str(process.pid))


if __name__ == "__main__":
    main(sys.argv[1:])
