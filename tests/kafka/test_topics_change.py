"""Topics that change under what uses them: each says so within seconds, with the right cause."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewPartitions

from clicklib import Emitter, Graph, Groups, Processor, State, String, TopicManager, View, clicks
from clicklib.errors import TopicError
from tests.kafka.conftest import counts
from tests.waiting import wait_until

SOON = 8  # seconds


@pytest.fixture
def admin(cluster) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(bootstrap_servers=list(cluster.addresses))
    yield admin
    admin.close()


@pytest.fixture
def grow(admin) -> Callable[[str], None]:
    """From 10 partitions to 12."""
    return lambda topic: admin.create_partitions({topic: NewPartitions(12)})


def error_of(service: Processor | View, words: str) -> TopicError:
    wait_until(f"{service} has failed", lambda: service.state is State.FAILED, SOON)
    assert isinstance(service.error, TopicError)
    assert re.search(words, str(service.error))
    return service.error


@pytest.mark.parametrize("which", ["input", "table"])
def test_each_member_says_that_a_topic_grew(
    cluster, graph: Graph, topic: str, click, grow, which: str, tmp_path: Path
) -> None:
    first, second = (Processor(cluster, graph, state_dir=tmp_path / name) for name in "12")
    with View(cluster, graph.table, clicks.UserCodec(), storage="memory") as view:
        first.start().wait_running()
        click(100)
        second.start().wait_running()
        wait_until(
            "both have a share", lambda: len(first.partitions) == len(second.partitions) == 5
        )
        grow(topic if which == "input" else graph.table)
        for processor in (first, second):
            error = error_of(processor, "12 partitions now, and had 10")
            assert error.topic == (topic if which == "input" else graph.table)
        with Groups(cluster) as groups:
            progress = groups.describe(graph.group, [topic]).progress
        # What is committed is counted, and no partition is committed that nobody counted.
        assert sum(each.committed or 0 for each in progress if each.topic == topic) == 100
        if which == "input":
            assert sum(counts(view).values()) == 100
        else:
            error_of(view, "12 partitions now, and had 10")


def test_an_emitter_says_that_its_stream_grew(cluster, topic: str, grow) -> None:
    emitter = Emitter(cluster, topic, String())
    emitter.emit_sync("user-3", "now")
    grow(topic)
    wait_until("it notices", lambda: emitter.error, SOON)
    with pytest.raises(TopicError, match="12 partitions now, and had 10"):
        emitter.emit("user-3", "now")
    assert emitter.stats().emitted == 1
    with pytest.raises(TopicError, match="12 partitions now, and had 10"), emitter:
        pass


@pytest.mark.long
@pytest.mark.parametrize("which", ["input", "table"])
def test_a_topic_that_is_gone_is_said(cluster, graph, topic, click, admin, which, state) -> None:
    with Processor(cluster, graph, state_dir=state).start().wait_running() as processor:
        click(100)
        admin.delete_topics([topic if which == "input" else graph.table])
        wait_until("it has ended", lambda: processor.state is State.FAILED)
        assert "the topic is gone" in str(processor.error)


@pytest.mark.long
def test_an_input_made_anew_is_read_from_its_begin(
    cluster, graph, topic, click, admin, state, caplog
) -> None:
    with (
        Processor(cluster, graph, state_dir=state).start().wait_running() as processor,
        View(cluster, graph.table, clicks.UserCodec(), storage="memory") as view,
    ):
        view.wait_running()
        click(100)
        wait_until("they are counted", lambda: sum(counts(view).values()) == 100)
        admin.delete_topics([topic])
        with TopicManager(cluster) as topics:
            wait_until("it is gone", lambda: topics.find(topic) is None)
            topics.ensure_stream(topic)
        click(300)
        wait_until("it has started over", lambda: "over: made anew" in caplog.text)
        click(300)
        wait_until("they are counted too", lambda: sum(counts(view).values()) == 700)
        assert processor.state is State.RUNNING
