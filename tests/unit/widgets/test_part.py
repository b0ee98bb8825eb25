"""The widgets of a cell go when it runs again."""

from __future__ import annotations

import pytest

from clicklib.widgets import ClickPad
from clicklib.widgets import part as module
from tests.unit.widgets.fakes import FakeEmitter


def test_a_cell_that_runs_again_closes_what_it_made(monkeypatch: pytest.MonkeyPatch) -> None:
    where = ["cell", "run 1"]
    monkeypatch.setattr(module, "_this_cell", lambda: tuple(where))
    pads = [ClickPad(FakeEmitter()) for _ in range(2)]  # type: ignore[arg-type]
    where[:] = "other", "run 2"
    other = ClickPad(FakeEmitter())  # type: ignore[arg-type]
    assert [pad.closed for pad in pads] == [False, False]
    where[:] = "cell", "run 3"
    again = ClickPad(FakeEmitter())  # type: ignore[arg-type]
    assert [pad.closed for pad in (*pads, other, again)] == [True, True, False, False]
