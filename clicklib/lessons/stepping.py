"""The program of a stepped victim: a processor that stops before each of its deeds.

    python stepping.py STREAM GROUP GUARANTEE FOLDER CALLBACK

It handles one message at a time. At a stop it prints a line of JSON and stands until the file
`allowed-PID` in FOLDER holds a number that is not below the stop's. Heartbeats go on meanwhile.

clicklib has no `at_most_once`. This program makes it in its callback, which commits the offset of
its message before it changes the row. That is what a consumer does that commits first.
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
from contextlib import suppress
from pathlib import Path
from types import FunctionType
from typing import Any

from clicklib import Input, Json, Persist, Processor, String, broker, define_group
from clicklib.client import writer
from clicklib.client.group_reader import GroupReader
from clicklib.client.offsets import Records, TopicPartition

__all__ = ["main"]


class _Stops:
    """The stops of this program, and the message that is in hand."""

    def __init__(self, folder: Path) -> None:
        self._allowed = folder / f"allowed-{os.getpid()}"
        self._number, self._message = 0, dict[str, Any]()
        self._lock = threading.Lock()
        self.in_hand = self.ended = False
        self.reader: Any = None

    def stand(self, place: str, **facts: Any) -> None:
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

    def one_at_a_time(self) -> None:
        """Let the processor get a message only when it is done with the one before."""
        poll = GroupReader.poll

        def poll_one(reader: GroupReader, timeout: float) -> Records:
            if reader is not self.reader:  # the first one, or the processor has started over
                self.reader, self.in_hand = reader, False
                reader._consumer.config["max_poll_records"] = 1
            if self.in_hand:
                reader.pause(reader._consumer.assignment())  # the processor resumes it each time
            records = poll(reader, timeout)
            self.in_hand = self.in_hand or bool(records)
            return records

        GroupReader.poll = poll_one  # type: ignore[method-assign, assignment]

    def before(self, kind: type, commit: str, stands: bool) -> None:
        """Stand before `kind` commits, if it `stands`; then the message is no longer in hand."""
        commit_now = getattr(kind, commit)

        def stand_and_commit(*arguments: Any) -> Any:
            if stands:
                self.stand("acknowledged")
            result = commit_now(*arguments)
            self.in_hand = False
            return result

        setattr(kind, commit, stand_and_commit)


def main(stream: str, group: str, guarantee: str, folder: str, code: str) -> None:
    """Run the processor until Ctrl-C."""
    # Where the notebook's server is a background job of a shell, Ctrl-C would be ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    writer._TRANSACTION = 300.0  # seconds: whoever looks at a stop may take this long
    stops, commits_first = _Stops(Path(folder)), guarantee == "at_most_once"
    stops.one_at_a_time()
    stops.before(GroupReader, "commit_async", stands=not commits_first)  # at least once
    stops.before(writer.Writer, "commit", stands=True)  # exactly once
    # The notebook that sends the code is its reader.
    callback = FunctionType(marshal.loads(base64.b64decode(code)), {})  # noqa: S302

    def handle(ctx: Any, msg: str) -> None:
        row = ctx.value()
        stops.stand("in hand", offset=ctx.offset, key=ctx.key, before=row, after=None)
        if commits_first:
            place = TopicPartition(ctx.topic, ctx.partition)
            stops.reader.commit({place: ctx.offset + 1}, 10.0)
            stops.stand("committed")
        callback(ctx, msg)
        stops.stand("gathered", after=ctx.value())

    graph = define_group(group, Input(stream, String(), handle), Persist(Json(dict)))
    options: Any = {"guarantee": "at_least_once" if commits_first else guarantee}
    # A killed member is missed after three seconds, one that stands in a commit not for an hour.
    options |= {"session_timeout": 3, "max_poll_interval": 3_600, "commit_interval": 0.05}
    processor = Processor(broker.use(), graph, state_dir=folder, **options)
    with processor.start(), suppress(KeyboardInterrupt):
        try:
            processor.wait_running(60)
            sys.stdout.write("running\n")
            processor.wait()
        finally:
            stops.ended = True


if __name__ == "__main__":
    main(*sys.argv[1:])
