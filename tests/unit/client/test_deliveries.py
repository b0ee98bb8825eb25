"""Counts of messages on their way, the room for them, and their errors in clicklib's words."""

from __future__ import annotations

import threading

import pytest

from clicklib.client.answers import Answers
from clicklib.client.deliveries import Deliveries, Load
from clicklib.errors import DeliveryError


def answered(deliveries: Deliveries, *results: int | Exception) -> Answers:
    """So many messages were sent, and got these answers."""
    deliveries.admit(len(results))
    answers = Answers([b"user-%d" % n for n in range(len(results))], 7, deliveries.note)
    answers.put(0, results)
    return answers


def test_answers_are_counted_and_the_first_error_is_kept() -> None:
    deliveries = Deliveries("clicks", 10)
    cause = OSError("gone")
    one = answered(deliveries, 40, cause, OSError("late"))
    assert deliveries.totals() == (3, 1, 2)
    assert answered(deliveries, OSError("later")).done
    assert deliveries.totals() == (4, 1, 3)
    error = deliveries.error
    assert error is one.results[1]
    assert error is not None
    assert error.__cause__ is cause
    assert (error.topic, error.partition, error.key) == ("clicks", 7, "user-1")
    assert "gone" in str(error)


def test_a_range_of_offsets_is_counted_without_a_look_at_each() -> None:
    deliveries = Deliveries("clicks", 10)
    deliveries.admit(5)
    answers = Answers([b"a"] * 5, 7, deliveries.note)
    answers.put(0, range(40, 45))
    assert (deliveries.totals(), answers.results, deliveries.error) == (
        (5, 5, 0),
        range(40, 45),
        None,
    )


def test_there_is_room_for_as_many_as_the_buffer_holds() -> None:
    deliveries = Deliveries("clicks", 10)
    assert deliveries.admit(8)
    assert not deliveries.admit(3)
    assert deliveries.admit(2)
    thread = threading.Thread(target=deliveries.admit, args=(3, True), daemon=True)
    thread.start()
    deliveries.give_back(2)
    thread.join(0.05)
    assert thread.is_alive()
    deliveries.give_back(1)
    thread.join(5)
    assert not thread.is_alive()
    assert deliveries.totals() == (10, 0, 0)


def test_a_load_tells_all_its_errors_at_once_and_the_emitter_none() -> None:
    deliveries = Deliveries("clicks", 10)
    load = Load(deliveries)
    load.check()
    deliveries.admit(4)
    load.sent = 4
    Answers([b"a", b"b"], 3, load.note).put(0, range(2))
    answers = Answers([b"c", b"d"], 7, load.note)
    answers.put(1, [OSError("late")])
    assert load.answered == 2
    answers.put(0, [OSError("gone")])
    assert load.answered == 4
    with pytest.raises(DeliveryError) as caught:
        load.check()
    error = caught.value
    assert "did not take 2 of 4 messages, the first because of: gone" in str(error)
    assert (error.topic, error.partition, error.key) == ("clicks", 7, "c")
    assert deliveries.error is None
    assert deliveries.totals() == (4, 2, 2)
