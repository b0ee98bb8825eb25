"""Readers share with their class which exercises they have solved, under names that they type.

    share("Anna")             from now on the class sees what Anna solves
    ClassProgress(cluster)    a table of all who share
    keep_private()            takes it back

A table holds what is shared. A reader's kernel emits all that the reader has solved, with the typed
name as the key; the topic is compacted; a view reads the newest message of each name.
"""

from __future__ import annotations

import html
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

from clicklib import broker
from clicklib.broker.files import write_whole
from clicklib.client.cluster import Brokers, Cluster
from clicklib.client.topics import TopicManager
from clicklib.codec import Json
from clicklib.emitter import Emitter
from clicklib.errors import ClicklibError, UsageError
from clicklib.lessons.course import COURSE, LEGEND, steps
from clicklib.lessons.progress import Progress
from clicklib.view import View

__all__ = ["TOPIC", "ClassProgress", "keep_private", "share", "share_news", "typed_name"]

TOPIC = "class-progress"  # without the prefix of a reader: all of a class share it
_CODEC = Json(dict[str, str])  # the help that was used, by the key of the exercise
_LONGEST = 40  # letters of a name

logger = logging.getLogger("clicklib")


def _file(progress: Progress) -> Path:
    return progress.folder.with_name("shared-name")


def typed_name(progress: Progress | None = None) -> str:
    """The name under which this reader shares; empty, as at first, if nothing is shared."""
    try:
        return _file(progress or Progress()).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def share(name: str, progress: Progress | None = None) -> None:
    """Share under this name what is solved, now and whenever an exercise is solved.

    It goes to the Kafka that `CLICKLIB_BROKERS` names, else to that of this machine. Raises
    UsageError if the name is empty or too long.
    """
    progress = progress or Progress()
    name = name.strip() if isinstance(name, str) else ""
    if not 0 < len(name) <= _LONGEST or not name.isprintable():
        raise UsageError(f"name has 1 to {_LONGEST} letters, on one line")
    if typed_name(progress) not in ("", name):
        keep_private(progress)
    _emit(name, progress.solved())
    _file(progress).parent.mkdir(parents=True, exist_ok=True)
    write_whole(_file(progress), name.encode())


def keep_private(progress: Progress | None = None) -> None:
    """Share no more, and delete from the class's topic what was shared."""
    progress = progress or Progress()
    if name := typed_name(progress):
        _emit(name, None)
        _file(progress).unlink()


def share_news(progress: Progress) -> None:
    """Share what is solved by now, if the reader shares at all. It does not wait for Kafka."""
    if name := typed_name(progress):
        threading.Thread(
            target=_try_to_emit,
            args=(name, progress.solved()),
            name="clicklib sharing",
            daemon=True,
        ).start()


def _try_to_emit(name: str, solved: dict[str, str]) -> None:
    try:
        _emit(name, solved)
    except ClicklibError as error:
        logger.warning("what you solved is not shared with the class now: %s", error)


def _emit(name: str, solved: dict[str, str] | None) -> None:
    cluster = broker.use()
    _ensure(cluster)
    with Emitter(cluster, TOPIC, _CODEC) as emitter:
        emitter.emit_sync(name, solved, timeout=30)


def _ensure(cluster: Brokers) -> None:
    with TopicManager(cluster) as topics:
        topics.ensure_table(TOPIC, 1)


class ClassProgress:
    """What each reader of a class has solved, as far as they share it. It shows as a table."""

    def __init__(self, brokers: Brokers) -> None:
        cluster = Cluster.of(brokers)
        _ensure(cluster)
        with View(cluster, TOPIC, _CODEC, storage="memory") as view:
            view.wait_running()
            self.solved = dict(sorted(view.items()))

    def rows(self) -> Iterator[tuple[str, list[str]]]:
        """Each name, with the signs of the exercises of each notebook."""
        for name, solved in self.solved.items():
            yield name, [step.signs for step in steps(solved)]

    def __repr__(self) -> str:
        if not self.solved:
            return "Nobody shares what is solved."
        lines = [("name", [each.number for each in COURSE]), *self.rows()]
        longest = max(len(name) for name, _ in lines)
        texts = (
            f"{name:{longest}}  " + "".join(f"{cell:6}" for cell in cells) for name, cells in lines
        )
        return "\n".join([*map(str.rstrip, texts), LEGEND])

    def _repr_html_(self) -> str:
        if not self.solved:
            return f"<p>{self!r}</p>"
        head = "".join(f"<th>{each.number}</th>" for each in COURSE)
        rows = "".join(
            f"<tr><th>{html.escape(name)}</th>" + "".join(f"<td>{sign}</td>" for sign in signs)
            for name, signs in self.rows()
        )
        return f"<table><tr><th>name</th>{head}</tr>{rows}</table><p>{LEGEND}</p>"
