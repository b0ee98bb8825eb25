"""What becomes of kafka-python's errors."""

from __future__ import annotations

import kafka.errors
import pytest

from clicklib.client.faults import translated
from clicklib.errors import KafkaError, UnavailableError


def turned(error: Exception) -> KafkaError:
    with pytest.raises(KafkaError, match="cannot look") as caught, translated("cannot look"):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


@pytest.mark.parametrize(
    "error",
    [
        kafka.errors.KafkaTimeoutError("late"),
        kafka.errors.NotLeaderForPartitionError(),
        kafka.errors.UnknownBrokerIdError(-1),  # the leader of a partition that has none now
        kafka.errors.BrokerNotAvailableError(),
    ],
)
def test_what_may_pass_is_waited_for(error):
    assert isinstance(turned(error), UnavailableError)


@pytest.mark.parametrize(
    "error",
    [
        kafka.errors.TopicAuthorizationFailedError(),
        kafka.errors.OffsetOutOfRangeError(),
        kafka.errors.UnknownTopicOrPartitionError(),
    ],
)
def test_what_stays_is_no_reason_to_wait(error):
    assert not isinstance(turned(error), UnavailableError)
