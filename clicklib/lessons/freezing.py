"""The program of a victim: a processor that can freeze itself just before it commits.

    python freezing.py STREAM GROUP GUARANTEE FOLDER CALLBACK

FOLDER holds its local table. The file `freeze` in it is an order: freeze before the next commit.
The file `slow` is one too: sleep at each click of the users whom it names.
CALLBACK is the code of the notebook's callback.
"""

from __future__ import annotations

import base64
import marshal
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FunctionType
from typing import Any

import psutil

from clicklib import Input, Json, Persist, Processor, String, broker, define_group
from clicklib.client.group_reader import GroupReader
from clicklib.client.writer import Writer
from clicklib.errors import StoreError

__all__ = ["main"]


def _freeze_before(kind: type, commit: str, order: Path) -> None:
    """Let this program freeze before `kind` commits, if there is an order to do so."""
    commit_now = getattr(kind, commit)

    def freeze_and_commit(*arguments: Any) -> Any:
        if order.exists():
            order.unlink()
            psutil.Process().suspend()
            time.sleep(1)  # the signal stops this thread a moment after the call
        return commit_now(*arguments)

    setattr(kind, commit, freeze_and_commit)


def _sleep_if_ordered(order: Path, user: str) -> None:
    """Sleep, if there is an order to: seconds in its first line, below them the users."""
    with suppress(OSError):
        seconds, *users = order.read_text("utf-8").splitlines()
        if user in users:
            time.sleep(float(seconds))


def _allow_files() -> None:
    """Let this program write files again, so that it can tell its error."""
    if hasattr(psutil, "RLIMIT_FSIZE"):
        _, hard = psutil.Process().rlimit(psutil.RLIMIT_FSIZE)
        psutil.Process().rlimit(psutil.RLIMIT_FSIZE, (hard, hard))


def main(stream: str, group: str, guarantee: Any, folder: str, code: str) -> None:
    """Run the processor until Ctrl-C."""
    # Where the notebook's server is a background job of a shell, Ctrl-C would be ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _freeze_before(GroupReader, "commit_async", Path(folder, "freeze"))  # at least once
    _freeze_before(Writer, "commit", Path(folder, "freeze"))  # exactly once
    callback = FunctionType(marshal.loads(base64.b64decode(code)), {})

    def handle(ctx: Any, msg: str) -> None:
        with suppress(OSError):  # the disk is full
            print(f"callback: {ctx.key}, offset {ctx.offset}")
        _sleep_if_ordered(Path(folder, "slow"), ctx.key)
        callback(ctx, msg)

    graph = define_group(group, Input(stream, String(), handle), Persist(Json(dict)))
    options: Any = {"guarantee": guarantee, "state_dir": folder, "session_timeout": 1}
    processor = Processor(broker.use(), graph, **options)
    try:
        with processor.start(), suppress(KeyboardInterrupt):
            processor.wait_running(60)
            print("running")
            processor.wait()
    except StoreError:
        _allow_files()
        raise


if __name__ == "__main__":
    main(*sys.argv[1:])
