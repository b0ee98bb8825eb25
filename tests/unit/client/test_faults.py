"""What becomes of kafka-python's errors."""

from __future__ import annotations

import re

import kafka.errors
import pytest

from clicklib.client.faults import OutOfRange, translated
from clicklib.client.topic_reader import TopicReader
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


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (kafka.errors.UnknownError(), "its log says why.*__consumer_offsets.*max.message.bytes"),
        (
            kafka.errors.KafkaError(f"in TxnOffsetCommitResponse: {kafka.errors.UnknownError()}"),
            "in TxnOffsetCommitResponse.*its log says why.*__consumer_offsets",
        ),
        (kafka.errors.GroupMaxSizeReachedError("g"), "g: .*stop one .*group.max.size"),
        (
            kafka.errors.KafkaError(f"answer: {kafka.errors.InvalidTransactionTimeoutError()}"),
            "transaction.max.timeout.ms",
        ),
        (kafka.errors.ProducerFencedError(), "a newer producer"),
    ],
)
def test_a_code_that_kafka_only_names_is_put_into_words(error, says):
    assert re.search(says, str(turned(error)))


@pytest.mark.parametrize("error", [kafka.errors.KafkaError("late"), kafka.errors.UnknownError("x")])
def test_a_text_that_needs_no_words_begins_as_it_was(error):
    assert str(turned(error)).startswith(f"cannot look: {error}")


ANSWER = (
    "Request 'CreateTopicsRequest(version=7, topics=[CreatableTopic(name='a')], timeout_ms=30000)' "
    "failed with response 'CreateTopicsResponse(version=7, topics=[CreatableTopicResult(name='a', "
    "error_code=40, error_message={}, topic_config_error_code=0, configs=[])])'."
)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("'Unknown topic config name: x'", "cannot look: Unknown topic config name: x"),
        ("\"'a b' is no name\"", "cannot look: 'a b' is no name"),
        ("'it\\'s \"a b\"'", 'cannot look: it\'s "a b"'),
        ("None", "cannot look: InvalidConfigurationError"),
    ],
)
def test_of_a_whole_answer_only_the_broker_s_words_are_told(message, text):
    error = kafka.errors.InvalidConfigurationError(ANSWER.format(message))
    assert str(turned(error)) == text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (kafka.errors.UnknownTopicOrPartitionError(), "the topic is gone"),
        (kafka.errors.OffsetOutOfRangeError(), "the topic was truncated or made anew"),
    ],
)
def test_a_topic_that_is_gone_is_not_called_truncated(error: Exception, text: str) -> None:
    reader = object.__new__(TopicReader)
    reader.topic = "clicks"
    with pytest.raises(OutOfRange, match=text), reader._asking("cannot look"):
        raise error
