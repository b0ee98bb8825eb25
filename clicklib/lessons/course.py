"""The course: its notebooks in their order, and the way of a reader through them."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from clicklib.errors import UsageError
from clicklib.lessons import exercises
from clicklib.lessons.exercise import Exercise, of_notebook
from clicklib.lessons.progress import Progress

__all__ = ["COURSE", "Chapter", "Step", "Way", "chapter", "steps"]


class Chapter(NamedTuple):
    """A notebook: its number, the name of its file, what it shows, and the minutes it takes."""

    number: str
    file: str
    shows: str
    minutes: int

    @property
    def title(self) -> str:
        words = self.file.removesuffix(".ipynb").partition("_")[2].replace("_", " ")
        return words[:1].upper() + words[1:].replace("kafka", "Kafka")


COURSE = (
    Chapter("00", "00_user_clicks.ipynb", "press a button and watch the counts grow", 25),
    Chapter("01", "01_how_to_get_it_running.ipynb", "the demo, its lines, its endpoint", 40),
    Chapter("02", "02_count_user_clicks.ipynb", "write `process`; counts that survive", 40),
    Chapter("03", "03_view_and_emitter.ipynb", "promises, views, the web endpoint", 40),
    Chapter("04", "04_codec.ipynb", "bytes and values; a wrong codec", 40),
    Chapter("05", "05_partitioning_and_concurrency.ipynb", "keys, order, sharing the work", 45),
    Chapter("06", "06_recovery.ipynb", "rebuild a table from its topic", 40),
    Chapter("07", "07_compaction.ipynb", "what Kafka removes from a table's topic", 40),
    Chapter("08", "08_at_least_once.ipynb", "a click that is counted twice", 40),
    Chapter("09", "09_exactly_once.ipynb", "transactions, and what they cost", 40),
    Chapter("10", "10_testing_without_kafka.ipynb", "test a callback in milliseconds", 45),
    Chapter("11", "11_scale_out.ipynb", "several processors; kill one", 40),
    Chapter("12", "12_failover.ipynb", "three brokers; kill one", 40),
    Chapter("13", "13_a_class.ipynb", "many readers in one group", 30),
)


def chapter(number: str) -> Chapter:
    """The notebook with this number. Raises UsageError if there is none."""
    for each in COURSE:
        if each.number == number:
            return each
    raise UsageError(f"number is that of a notebook, '00' to '{COURSE[-1].number}', not {number!r}")


@dataclass(frozen=True)
class Step:
    """A notebook of the way: its exercises, and which of them are solved."""

    chapter: Chapter
    exercises: list[Exercise]
    solved: dict[str, str]

    @property
    def done(self) -> bool:
        return all(each.key in self.solved for each in self.exercises)

    @property
    def signs(self) -> str:
        """A sign for each exercise: solved, solved with the solution's help, or open."""
        return "".join(SIGNS.get(self.solved.get(each.key, ""), "✔") for each in self.exercises)


SIGNS = {"alone": "✔", "hints": "✔", "solution": "◐", "": "○"}
LEGEND = "✔ solved, ◐ solved with the solution, ○ open"


def steps(solved: dict[str, str]) -> list[Step]:
    """The notebooks in their order, for one who has solved this."""
    exercises.load()
    return [Step(each, of_notebook(each.number), solved) for each in COURSE]


class Way:
    """The way of a reader so far, and the next step. A notebook shows it as a table."""

    def __init__(self, progress: Progress | None = None) -> None:
        self.steps = steps((progress or Progress()).solved())

    @property
    def next(self) -> Step | None:
        """The first notebook with an open exercise, or None when all are solved."""
        return next((step for step in self.steps if not step.done), None)

    def _said(self) -> str:
        every = [each.key in step.solved for step in self.steps for each in step.exercises]
        text = f"{sum(every)} of {len(every)} exercises are solved."
        if self.next is None:
            return f"{text} That is all of them."
        return f"{text} Next: {self.next.chapter.number} {self.next.chapter.title}."

    def lines(self) -> Iterator[str]:
        """The way as text."""
        for step in self.steps:
            yield f"{step.chapter.number} {step.chapter.title:34} {step.signs}"
        yield LEGEND
        yield self._said()

    def __repr__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="text-align:left"><a href="{step.chapter.file}">'
            f"{step.chapter.number} {html.escape(step.chapter.title)}</a></td>"
            f'<td style="text-align:left">{html.escape(step.chapter.shows.replace("`", ""))}</td>'
            f"<td>{step.chapter.minutes} min</td>"
            f'<td style="text-align:left">{step.signs}</td></tr>'
            for step in self.steps
        )
        head = "<tr><th>notebook</th><th>what it shows</th><th>time</th><th>exercises</th></tr>"
        return f"<p>{self._said()}</p><table>{head}{rows}</table><p>{LEGEND}</p>"
