"""Topics that change while a client uses them are noticed, and those that only seem to are not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clicklib.client import unchanged
from clicklib.client.unchanged import Unchanged


class Metadata:
    """What a client hears of its topics: id and number of partitions of each."""

    def __init__(self, **topics: tuple[str, int]) -> None:
        self.topics = topics
        self.listeners: list[Callable[[Metadata], None]] = []
        self.add_listener = self.listeners.append

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(self.topics[topic][1])) if topic in self.topics else None

    def topic_id(self, topic: str) -> str | None:
        return self.topics[topic][0] if topic in self.topics else None

    def hear(self, **topics: tuple[str, int]) -> None:
        self.topics = topics
        for listener in self.listeners:
            listener(self)


@pytest.fixture
def pass_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    now = 1_000.0
    monkeypatch.setattr(unchanged.time, "monotonic", lambda: now)

    def pass_by(seconds: float) -> None:
        nonlocal now
        now += seconds

    return pass_by


def test_a_topic_that_grew_is_told_at_once_with_both_numbers() -> None:
    metadata = Metadata(a=("1", 4), b=("2", 4))
    watch = Unchanged(metadata, ["a", "b"], 4)
    assert watch.error is None
    metadata.hear(a=("1", 4), b=("2", 8))
    assert "8 partitions now, and had 4" in str(watch.error)
    assert "(topic b)" in str(watch.error)


def test_a_topic_that_grew_before_the_first_look_is_told() -> None:
    assert Unchanged(Metadata(a=("1", 8)), ["a"], 4).error is not None


def test_a_topic_that_the_client_has_not_heard_of_yet_is_not_gone(pass_by) -> None:
    metadata = Metadata()
    watch = Unchanged(metadata, ["a"], 4)
    pass_by(60)
    metadata.hear()
    metadata.hear(a=("1", 4))
    assert watch.error is None


@pytest.mark.parametrize(
    ("now", "text"),
    [({}, "the topic is gone"), ({"a": ("2", 2)}, "has 2 partitions now, and had 4")],
)
def test_what_lasts_is_told_and_what_a_starting_broker_says_is_not(pass_by, now, text) -> None:
    metadata = Metadata(a=("1", 4))
    watch = Unchanged(metadata, ["a"], 4)
    for _ in range(3):
        metadata.hear(**now)
        pass_by(4)
        metadata.hear(a=("1", 4))
        pass_by(4)
    assert watch.error is None
    metadata.hear(**now)
    pass_by(6)
    metadata.hear(**now)
    assert text in str(watch.error)


def test_a_topic_that_was_made_anew_with_the_same_number_is_no_error(pass_by) -> None:
    metadata = Metadata(a=("1", 4))
    watch = Unchanged(metadata, ["a"], 4)
    metadata.hear(a=("2", 4))
    assert watch.remade == set()
    pass_by(6)
    metadata.hear(a=("2", 4))
    assert (watch.error, watch.remade) == (None, {"a"})
