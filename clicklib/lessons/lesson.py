"""A lesson: what the notebooks share, so that a notebook shows only what it is about."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Any

from clicklib.clicks import GROUP, PREFIX, TOPIC
from clicklib.client.cluster import Brokers, Cluster
from clicklib.client.topics import TopicManager
from clicklib.given import check
from clicklib.lessons import exercises
from clicklib.lessons.box import ExerciseBox
from clicklib.lessons.course import chapter
from clicklib.lessons.exercise import find
from clicklib.lessons.plots import use_plot_theme
from clicklib.lessons.programs import temporary_folder
from clicklib.lessons.stopping import StopButton, stop_everything

__all__ = ["Lesson"]

_FIXED = {"00", "01"}  # these two show the walkthrough itself, whose counts go on at each run

_current: Lesson | None = None


class Lesson:
    """The lesson of a notebook, named by the notebook's number: `Lesson("05")`.

    `stream` and `group` are names for this run: no other run, kernel or reader has them, so none
    can disturb this one. They begin with `CLICKLIB_PREFIX`, if it is set. Lessons 00 and 01 use the
    walkthrough's own names at each run. A new lesson in the same kernel stops everything that the
    one before it has started.
    """

    def __init__(self, number: str) -> None:
        global _current
        number = chapter(number).number
        if _current is not None:
            stop_everything()
        _current = self
        self.number = number
        self.unique = secrets.token_hex(2)
        self.stream, self.group = TOPIC, GROUP
        if number not in _FIXED:
            self.stream, self.group = self.name("user-clicks"), self.name("clicks")
        exercises.load()
        use_plot_theme()
        _explain_missing_names()

    def name(self, word: str) -> str:
        """A name of this run for a further topic or group: `word`, the lesson, a random end."""
        check(word=word)
        return f"{PREFIX}{word}-{self.number}-{self.unique}"

    @property
    def alone(self) -> bool:
        """Whether this reader is the whole class: no shared Kafka is named."""
        return not os.environ.get("CLICKLIB_BROKERS")

    def shared_name(self, word: str) -> str:
        """The name of a topic or group that all readers of a class share; alone, of this run."""
        check(word=word)
        return self.name(word) if self.alone else word

    def folder(self) -> Path:
        """A new, empty folder. It is deleted when the kernel ends or when a new lesson begins."""
        return temporary_folder(self)

    def check(self, number: int, answer: Any, **found: Any) -> ExerciseBox:
        """Judge the answer to an exercise. The box that it returns says how the answer stands.

        `found` is what the notebook's experiment found, or a function that makes the experiment.
        Nothing is raised for a wrong answer. Raises UsageError if there is no such exercise.
        """
        check(number=number)
        exercise = find(f"{self.number}.{number}")
        namespace = sys._getframe(1).f_globals
        return ExerciseBox(exercise, answer, found, namespace)

    def stop_button(self, *clusters: Brokers) -> StopButton:
        """A button that stops everything in this kernel, and deletes the topics of this run."""
        made = tuple(map(Cluster.of, clusters))
        return StopButton(lambda: self._delete_topics(made))

    def _delete_topics(self, clusters: tuple[Cluster, ...]) -> None:
        if self.number in _FIXED:
            return
        for cluster in clusters:
            with TopicManager(cluster) as topics:
                topics.delete(name for name in topics.names() if self.unique in name)

    def __repr__(self) -> str:
        return f"Lesson {self.number}: stream {self.stream}, group {self.group}"


def _explain_missing_names() -> None:
    """Add to a NameError in a cell which cells to run first."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        return

    def explain(shell: Any, kind: Any, error: Any, trace: Any, tb_offset: Any = None) -> None:
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
        sys.stdout.write(
            f"`{error.name}` gets its value in a cell above this one. Choose in the menu: "
            "Run, Run All Above Selected Cell. Then run this cell again.\n"
        )

    shell.set_custom_exc((NameError,), explain)
