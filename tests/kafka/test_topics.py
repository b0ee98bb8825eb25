"""Topics are made as wanted, once, whoever asks; a difference is ignored, told or refused."""

from __future__ import annotations

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic

from clicklib.client.layout import Copies
from clicklib.client.topics import TopicManager
from clicklib.errors import TopicError, UnavailableError, UsageError
from tests.waiting import wait_until


def config(cluster, topic, name):
    admin = KafkaAdminClient(bootstrap_servers=list(cluster.addresses))
    found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    admin.close()
    return found["topic"][topic][name]["value"]


def test_streams_and_tables_are_made_as_wanted(cluster, name):
    with TopicManager(cluster) as topics:
        assert topics.find(name) is None
        stream = topics.ensure_stream(name, 7, configs={"retention.ms": "60000"})
        table = topics.ensure_table(f"{name}-table")
        assert (stream.partitions, stream.replication) == (7, 1)
        assert table.partitions == 10
        assert topics.find(name) == stream
        assert topics.ensure_stream(name, 7, configs={"retention.ms": "60000"}) == stream
    assert config(cluster, name, "cleanup.policy") == "delete"
    assert config(cluster, name, "retention.ms") == "60000"
    assert config(cluster, f"{name}-table", "cleanup.policy") == "compact"


def test_each_partition_has_a_leader_that_is_in_step(cluster, name):
    with TopicManager(cluster) as topics:
        assert topics.copies(name) == {}
        topics.ensure_stream(name, 3)
        found = topics.copies(name)
    leader = found[0].leader
    assert leader > 0
    assert found == dict.fromkeys(range(3), Copies(leader, (leader,), (leader,)))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"partitions": 5}, "partitions is 10, wanted 5"),
        ({"replication": 3}, "replication is 1, wanted 3"),
        ({"configs": {"retention.ms": "1"}}, "retention.ms is .*, wanted 1"),
    ],
)
def test_a_difference_is_refused_told_or_ignored(cluster, name, change, text, caplog):
    with TopicManager(cluster) as topics:
        made = topics.ensure_stream(name)
        with pytest.raises(TopicError, match=text):
            topics.ensure_stream(name, **change)
        with caplog.at_level(logging.WARNING, "clicklib"):
            assert topics.ensure_stream(name, **change, mismatch="ignore") == made
            assert [each for each in caplog.records if each.name == "clicklib"] == []
            assert topics.ensure_stream(name, **change, mismatch="warn") == made
        assert "the topic differs" in caplog.text


def test_what_another_left_at_its_default_is_compared_too(cluster, name):
    admin = KafkaAdminClient(bootstrap_servers=list(cluster.addresses))
    admin.create_topics([NewTopic(name, 3, 1)])
    admin.close()
    with TopicManager(cluster) as topics:
        wait_until("it is there", lambda: topics.find(name))
        topics.ensure_stream(name, 3, configs={"max.message.bytes": "1048588"})
        with pytest.raises(TopicError, match=r"cleanup\.policy is delete, wanted compact"):
            topics.ensure_table(name, 3)


def test_a_table_that_will_lose_its_rows_is_told(cluster, name, caplog):
    with TopicManager(cluster) as topics:
        for each in ("clicks", "g-table"):
            topics.ensure_stream(f"{name}-{each}", 2)
        topics.ensure_copartitioned([f"{name}-clicks"], f"{name}-g-table")
        assert "its cleanup.policy is delete" in caplog.text
        caplog.clear()
        for _ in range(2):
            topics.ensure_copartitioned([f"{name}-clicks"], f"{name}-h-table")
    assert [each for each in caplog.records if each.name == "clicklib"] == []


def test_a_stream_is_not_taken_for_a_table(cluster, name):
    with TopicManager(cluster) as topics:
        topics.ensure_stream(name)
        with pytest.raises(TopicError, match=r"cleanup\.policy is delete, wanted compact"):
            topics.ensure_table(name)


@pytest.mark.parametrize("wrong", [{"partitions": 0}, {"mismatch": "shrug"}])
def test_wrong_arguments_are_refused(cluster, name, wrong):
    with TopicManager(cluster) as topics, pytest.raises(UsageError):
        topics.ensure_stream(name, **wrong)


def test_many_threads_may_ask_at_once(cluster, name):
    def ensure(_):
        with TopicManager(cluster) as topics:
            return topics.ensure_table(name)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ensure, range(16)))) == 1


def test_several_processes_may_ask_at_once(cluster, name):
    program = (
        "import sys; from clicklib.client.topics import TopicManager\n"
        "with TopicManager(sys.argv[1]) as topics: print(topics.ensure_table(sys.argv[2]).id)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(cluster), name], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    answers = {process.communicate(timeout=60)[0] for process in processes}
    assert [process.returncode for process in processes] == [0] * 4
    assert len(answers) == 1


def test_no_broker_is_told_with_its_address():
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1 within 0\.3 s"):
        TopicManager("127.0.0.1:1", timeout=0.3)
