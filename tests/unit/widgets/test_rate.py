"""The rate of a counter."""

from __future__ import annotations

import pytest

from clicklib.widgets import rate as module


def test_a_rate_is_of_the_last_seconds_and_survives_a_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    rate, seen = module.Rate(span=2), []
    for second, count in enumerate([100, 110, 120, 130, 130, 130, 130, 5, 10]):
        now[0] = second
        seen.append(rate.of(count))
    assert seen[:3] == [0, 10, 10]
    assert seen[6] == 0
    assert seen[7:] == [0, 5]
