"""The position of a reader that does not know it yet is not 0."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from clicklib.client.group_reader import GroupReader
from clicklib.client.logs import Logs
from clicklib.client.offsets import TopicPartition
from clicklib.client.topic_reader import TopicReader
from clicklib.widgets.audit import _Stream
from clicklib.widgets.books import Books
from tests.support.records import record


class Unsure:
    """kafka-python's consumer, which knows the position at the second time only."""

    def __init__(self, position: int, end: int | None) -> None:
        self.asked: list[TopicPartition] = []
        self._position, self._end = position, end

    def position(self, place: TopicPartition, timeout_ms: int) -> int | None:
        self.asked.append(place)
        return None if len(self.asked) == 1 else self._position

    def highwater(self, place: TopicPartition) -> int | None:
        return self._end

    def assignment(self) -> set[TopicPartition]:
        return {PLACE}

    def assign(self, places: list[TopicPartition]) -> None: ...

    def seek(self, place: TopicPartition, offset: int) -> None: ...

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        return {} if self.asked else {PLACE: [record(b"a", b"1", offset=4)]}

    def end_offsets(self, places: Any, timeout_ms: int) -> dict[TopicPartition, int]:
        return {PLACE: 6}


PLACE = TopicPartition("clicks", 0)


def reader(consumer: Unsure) -> TopicReader:
    made = object.__new__(TopicReader)
    made.topic, made._patience, made._consumer = "clicks", 10.0, consumer
    return made


def test_it_is_not_known_and_then_it_is() -> None:
    made = reader(Unsure(position=6, end=6))
    assert [made.position(0), made.position(0)] == [None, 6]


@pytest.mark.parametrize(("end", "known"), [(0, True), (1, False), (None, False)])
def test_a_group_has_caught_up_only_where_it_is_known(end: int | None, known: bool) -> None:
    made = object.__new__(GroupReader)
    made._consumer = Unsure(position=0, end=end)
    assert [made.caught_up(PLACE), made.caught_up(PLACE)] == [False, known]


def test_a_log_is_read_until_its_end_is_known_to_be_reached() -> None:
    consumer = Unsure(position=6, end=6)
    logs: Any = SimpleNamespace(_client=reader(consumer), _unchanged=SimpleNamespace(error=None))
    assert [each.offset for each in Logs._read(logs, {0: 4}, {0: 6})[0]] == [4]
    assert len(consumer.asked) == 2


def test_the_books_go_on_until_the_end_is_known_to_be_reached() -> None:
    stream, books = object.__new__(_Stream), Books({0: 4})
    stream._reader, stream._partitions = reader(Unsure(position=6, end=6)), range(1)
    stream._unchanged = SimpleNamespace(error=None, remade=set())  # type: ignore[assignment]
    assert stream.read(books)
    assert books.positions == {0: 6}
