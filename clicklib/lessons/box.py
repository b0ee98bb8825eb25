"""The box below an exercise: it says how the answer stands, and gives hints."""

from __future__ import annotations

import html
import os
import re
import threading
from collections.abc import Callable
from typing import Any

import ipywidgets

from clicklib.lessons.exercise import Exercise, Status, Verdict, judged
from clicklib.lessons.progress import Progress
from clicklib.lessons.sharing import share_news
from clicklib.widgets.part import Part

__all__ = ["ExerciseBox"]

_SIGNS = {Status.OPEN: "○", Status.NOT_YET: "✘", Status.SOLVED: "✔"}
_COLOURS = {Status.OPEN: "#767676", Status.NOT_YET: "#d55e00", Status.SOLVED: "#009e73"}


def _marked(text: str) -> str:
    """Text as HTML; what stands between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


class ExerciseBox(Part, ipywidgets.VBox):
    """Says whether an exercise is solved, not yet solved, or open.

    The hints come one after the other, by a button. After the last one the button shows the
    solution, and then a second button uses it: it gives the answer's name its value in the
    notebook and judges again. Nothing else changes what the learner has written. If a teacher has
    set CLICKLIB_SOLUTIONS to `hidden`, the hints are all that is shown.
    """

    def __init__(
        self,
        exercise: Exercise,
        answer: Any,
        found: dict[str, Any],
        namespace: dict[str, Any],
        progress: Progress | None = None,
    ) -> None:
        self.exercise = exercise
        self._found, self._namespace = found, namespace
        self._progress = progress or Progress()
        self._shown, self._used = 0, False
        self._hidden = os.environ.get("CLICKLIB_SOLUTIONS") == "hidden"
        self._text = ipywidgets.HTML()
        self._help = ipywidgets.HTML()
        self._more = self._button(self._show_more)
        self._use = self._button(self._use_solution, "Use this solution")
        super().__init__([self._text, self._help, ipywidgets.HBox([self._more, self._use])])
        self.add_class("clicklib-exercise")
        self.belong()
        self._judge(answer)

    @property
    def text(self) -> str:
        """What the box says, as text."""
        lines = [f"{_SIGNS[self.verdict.status]} Exercise {self.exercise.number}: {self._said()}"]
        return "\n".join([*lines, *self._found_out(), *self._helps()])

    def _said(self) -> str:
        if self.verdict.status is Status.SOLVED:
            return "solved, with the solution." if self._used else "solved."
        if self.verdict.status is Status.NOT_YET:
            return "not yet."
        return (
            "open. Put your answer in place of the three dots (...) above, run that cell, and "
            "then this one."
        )

    def _found_out(self) -> list[str]:
        return [text for text in (self.verdict.hint, self.verdict.outcome) if text]

    def _helps(self) -> list[str]:
        hints = self.exercise.hints
        shown = [f"Hint {i} of {len(hints)}: {hint}" for i, hint in enumerate(hints, 1)]
        last = "Your teacher has the solution." if self._hidden else self.exercise.because
        return shown[: self._shown] + ([last] if self._all_shown else [])

    @property
    def _all_shown(self) -> bool:
        return self._shown + self._hidden > len(self.exercise.hints)

    @property
    def _solution_shown(self) -> bool:
        return self._all_shown and not self._hidden

    def _judge(self, answer: Any) -> None:
        self.verdict: Verdict = judged(self.exercise, answer, **self._found)
        if self.verdict.status is Status.SOLVED:
            helped = "solution" if self._solution_shown else "hints" if self._shown else "alone"
            self._progress.note(self.exercise.key, helped)
            share_news(self._progress)
        self._draw()

    def _draw(self) -> None:
        self._text.value = self._html_of_text()
        self._help.value = self._html_of_helps()
        next_one, hints = self._shown + 1, len(self.exercise.hints)
        self._more.description = f"Hint {next_one} of {hints}" if next_one <= hints else "Solution"
        self._more.layout.display = "none" if self._all_shown else ""
        usable = self._solution_shown and self.verdict.status is not Status.SOLVED
        self._use.layout.display = "" if usable else "none"

    def _html_of_text(self) -> str:
        status = self.verdict.status
        rest = "".join(
            f'<div style="white-space:pre-wrap">{_marked(text)}</div>' for text in self._found_out()
        )
        return (
            f'<div role="status" style="border-left:4px solid {_COLOURS[status]};'
            f'padding:2px 10px;line-height:1.5">'
            f'<b><span aria-hidden="true">{_SIGNS[status]}</span> '
            f"Exercise {self.exercise.number}: {html.escape(self._said())}</b>{rest}</div>"
        )

    def _html_of_helps(self) -> str:
        lines = "".join(f"<div>{_marked(text)}</div>" for text in self._helps())
        code = f"<pre>{html.escape(self.exercise.solution)}</pre>" if self._solution_shown else ""
        if not lines:
            return ""
        return f'<div role="note" style="padding:2px 14px;line-height:1.5">{code}{lines}</div>'

    def _button(self, pressed: Callable[[], None], text: str = "") -> ipywidgets.Button:
        button = ipywidgets.Button(description=text, layout=ipywidgets.Layout(width="auto"))
        button.on_click(lambda _: pressed())
        return button

    def _show_more(self) -> None:
        self._shown += 1
        self._draw()

    def _use_solution(self) -> None:
        """Judge the solution on a thread: an experiment may take some seconds."""
        if not self._use.disabled:  # a second press may come before the browser knows it
            self._use.description, self._use.disabled = "Trying it …", True
            threading.Thread(target=self._try_it, name="clicklib exercise", daemon=True).start()

    def _try_it(self) -> None:
        try:
            exec(self.exercise.solution, self._namespace)  # noqa: S102
            self._used = True
            self._judge(self._namespace[self.exercise.answer])
        finally:
            self._use.description, self._use.disabled = "Use this solution", False

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The widget, and for pages without widgets the same as HTML and as text."""
        bundle = super()._repr_mimebundle_(**options)
        if isinstance(bundle, dict):
            bundle["text/plain"] = self.text
            bundle["text/html"] = self._html_of_text() + self._html_of_helps()
        return bundle
