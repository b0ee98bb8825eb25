"""The program of a victim: a processor that freezes itself, or that pauses before each step.

    python counting.py freezing|stepping STREAM GROUP GUARANTEE FOLDER CALLBACK

FOLDER holds its local table, and what the notebook orders. CALLBACK is the code of the notebook's
callback.
"""

from __future__ import annotations

import base64
import json
import marshal
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any

import psutil

from clicklib import Input, Json, Persist, Processor, String, broker, define_group
from clicklib.client import writer
from clicklib.client.group_reader import GroupReader
from clicklib.client.offsets import Records, TopicPartition
from clicklib.errors import StoreError

__all__ = ["main"]


class _Freezing:
    """If the file `freeze` is there, it freezes before the next commit.

    If the file `slow` is there, it sleeps at each click of some users. The first line has the
    seconds, the others the users.
    """

    ended = False

    def __init__(self, folder: Path, guarantee: str) -> None:
        self._freeze, self._slow = folder / "freeze", folder / "slow"
        self.options: dict[str, Any] = {"guarantee": guarantee, "session_timeout": 1}

    def commit(self, commit: Callable[[], Any]) -> Any:
        if self._freeze.exists():
            self._freeze.unlink()
            psutil.Process().suspend()
            time.sleep(1)  # the signal stops this thread a moment after the call
        return commit()

    def handle(self, callback: Callable[[Any, str], None], ctx: Any, msg: str) -> None:
        with suppress(OSError):  # the disk is full
            sys.stdout.write(f"callback: {ctx.key}, offset {ctx.offset}\n")
        with suppress(OSError):  # there is no order
            seconds, *users = self._slow.read_text("utf-8").splitlines()
            if ctx.key in users:
                time.sleep(float(seconds))
        callback(ctx, msg)


class _Stepping:
    """It handles one message at a time.

    At a stop it prints a line of JSON and stands until the file `allowed-PID` holds a number that
    is not below the stop's. Heartbeats go on meanwhile.

    clicklib has no `at_most_once`. This program makes it in its callback, which commits the offset
    of its message before it changes the row. That is what a consumer does that commits first.
    """

    def __init__(self, folder: Path, guarantee: str) -> None:
        self._allowed = folder / f"allowed-{os.getpid()}"
        self._number, self._message = 0, dict[str, Any]()
        self._lock = threading.Lock()
        self._in_hand = self.ended = False
        self._reader: Any = None
        self._commits_first = guarantee == "at_most_once"
        # A killed member is removed after three seconds; one paused in a commit, after an hour.
        self.options: dict[str, Any] = {
            "guarantee": "at_least_once" if self._commits_first else guarantee,
            "session_timeout": 3,
            "max_poll_interval": 3_600,
            "commit_interval": 0.05,
        }
        writer._TRANSACTION = 300.0  # seconds: a reader may look at a pause for so long
        poll = GroupReader.poll
        GroupReader.poll = lambda *arguments: self._poll_one(poll, *arguments)  # type: ignore[method-assign]

    def _stand(self, place: str, **facts: Any) -> None:
        """Stand here until this stop is allowed to be passed."""
        with self._lock:
            self._number += 1
            self._message |= facts
            if not self._passed():
                line = {"stop": self._number, "place": place, **self._message}
                sys.stdout.write(json.dumps(line) + "\n")
            while not self._passed():
                time.sleep(0.02)

    def _passed(self) -> bool:
        with suppress(OSError, ValueError):  # not there yet, or just being written
            return self.ended or int(self._allowed.read_text("utf-8")) >= self._number
        return self.ended

    def _poll_one(self, poll: Any, reader: GroupReader, timeout: float) -> Records:
        """Let the processor get a message only when it is done with the one before."""
        if reader is not self._reader:  # the first one, or the processor has started over
            self._reader, self._in_hand = reader, False
            reader._consumer.config["max_poll_records"] = 1
        if self._in_hand:
            reader.pause(reader._consumer.assignment())  # the processor resumes it each time
        records: Records = poll(reader, timeout)
        self._in_hand = self._in_hand or bool(records)
        return records

    def commit(self, commit: Callable[[], Any]) -> Any:
        if not self._commits_first:
            self._stand("acknowledged")
        result = commit()
        self._in_hand = False
        return result

    def handle(self, callback: Callable[[Any, str], None], ctx: Any, msg: str) -> None:
        row = ctx.value()
        self._stand("in hand", offset=ctx.offset, key=ctx.key, before=row, after=None)
        if self._commits_first:
            place = TopicPartition(ctx.topic, ctx.partition)
            self._reader.commit({place: ctx.offset + 1}, 10.0)
            self._stand("committed")
        callback(ctx, msg)
        self._stand("gathered", after=ctx.value())


def _allow_files() -> None:
    """Let this program write files again, so that it can tell its error."""
    if hasattr(psutil, "RLIMIT_FSIZE"):
        _, hard = psutil.Process().rlimit(psutil.RLIMIT_FSIZE)
        psutil.Process().rlimit(psutil.RLIMIT_FSIZE, (hard, hard))


def _commit_by(kind: type, method: str, commit: Callable[[Callable[[], Any]], Any]) -> None:
    """Let `commit` decide when this method of `kind` is called."""
    original = getattr(kind, method)
    setattr(kind, method, lambda *arguments: commit(partial(original, *arguments)))


def main(manner: str, stream: str, group: str, guarantee: str, folder: str, code: str) -> None:
    """Run the processor until Ctrl-C."""
    # Where the notebook's server is a background job of a shell, Ctrl-C would be ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    victim: Any = {"freezing": _Freezing, "stepping": _Stepping}[manner](Path(folder), guarantee)
    _commit_by(GroupReader, "commit_async", victim.commit)  # at least once
    _commit_by(writer.Writer, "commit", victim.commit)  # exactly once
    # The code comes from the reader's own notebook.
    callback = FunctionType(marshal.loads(base64.b64decode(code)), {})  # noqa: S302
    handle = partial(victim.handle, callback)
    graph = define_group(group, Input(stream, String(), handle), Persist(Json(dict)))
    processor = Processor(broker.use(), graph, state_dir=folder, **victim.options)
    try:
        with processor.start(), suppress(KeyboardInterrupt):
            try:
                processor.wait_running(60)
                sys.stdout.write("running\n")
                processor.wait()
            finally:
                victim.ended = True
    except StoreError:
        _allow_files()
        raise


if __name__ == "__main__":
    main(*sys.argv[1:])
