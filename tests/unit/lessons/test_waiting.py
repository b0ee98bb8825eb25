"""A lesson's wait: it ends, says what it waits for, and leaves time for others."""

from __future__ import annotations

import pytest

from clicklib.errors import KafkaError
from clicklib.lessons import wait_until, waiting


class Clock:
    """A clock that only sleeping and asking move."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.slept = 0.0, []
        monkeypatch.setattr(waiting.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(waiting.time, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_it_returns_what_holds_and_outlasts_a_broker_that_is_away(clock: Clock) -> None:
    answers = iter([KafkaError("away"), 0, 7])

    def holds() -> int:
        answer = next(answers)
        if isinstance(answer, KafkaError):
            raise answer
        return answer

    assert wait_until("seven", holds) == 7
    assert clock.slept == [0.01, 0.01]


def test_it_says_after_ten_seconds_what_it_waits_for_and_ends_in_time(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    said: dict[str, float] = {}

    def never() -> bool:
        if text := capsys.readouterr().out:
            said[text] = clock.now
        return False

    with pytest.raises(TimeoutError, match="not within 30 s: rain"):
        wait_until("rain", never, timeout=30)
    assert 30 < clock.now < 30.1
    [(text, when)] = said.items()
    assert text == "Still waiting, for at most 30 seconds: rain\n"
    assert 10 < when < 10.1


def test_a_question_that_takes_long_is_asked_less_often(clock: Clock) -> None:
    def slow() -> bool:
        clock.now += 0.5
        return clock.now > 3

    wait_until("it is late", slow)
    assert clock.slept == [0.5] * 3
