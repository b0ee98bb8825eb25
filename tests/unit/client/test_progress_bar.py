"""The progress bar: only after a second, and only where somebody can see it."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest

from clicklib.client import progress_bar as module
from clicklib.client.progress_bar import Bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_a_bar_appears_after_a_second_and_goes_at_the_end(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with Bar("message", 5_000) as bar:
        clock[0] += 0.9
        bar.show(1_000)
        assert terminal.getvalue() == ""
        clock[0] += 0.2
        bar.show(2_000)
        assert "2.00k/5.00k" in terminal.getvalue()
        assert "message" in terminal.getvalue()
        assert bar._bar.n == 2_000
        bar.show(3_500)
        assert bar._bar.n == 3_500
    assert terminal.getvalue().rpartition("\r")[2] == ""
    assert terminal.getvalue().count("\n") == 0


def test_nobody_sees_a_bar_in_a_file(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", told := io.StringIO())
    with Bar("message", None) as bar:
        clock[0] += 2
        bar.show(1_000)
        bar.show(2_000)
    assert told.getvalue() == ""
    assert bar._bar is None


def test_a_notebook_s_bar_is_text_that_its_cell_updates(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []

    class Place:
        def update(self, said: dict[str, str], raw: bool) -> None:
            shown.append(said["text/plain"])

    def display(said: dict[str, str], raw: bool, display_id: bool) -> Place:
        shown.append(said["text/plain"])
        return Place()

    monkeypatch.setattr("IPython.get_ipython", lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setattr("IPython.display.display", display)
    with Bar("message", 5_000) as bar:
        clock[0] += 2
        bar.show(2_000)
        assert "2.00k/5.00k" in shown[-1]
        bar.show(5_000)
    assert shown[-1] == ""
