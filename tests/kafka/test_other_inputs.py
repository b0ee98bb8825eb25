"""Members of one group that read different topics: no message is left, or the newcomer says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from kafka import KafkaConsumer

from clicklib import (
    Cluster,
    Emitter,
    Input,
    KafkaError,
    Persist,
    Processor,
    State,
    String,
    TopicManager,
    View,
    clicks,
    define_group,
)
from tests.kafka.conftest import counts
from tests.support.long import cases
from tests.waiting import wait_until


@pytest.fixture
def feeds(cluster: Cluster, name: str) -> Iterator[dict[str, Emitter]]:
    """Two streams, a and b."""
    with ExitStack() as stack:
        with TopicManager(cluster) as topics:
            for each in "ab":
                topics.ensure_stream(f"{name}-{each}", 4)
        yield {
            each: stack.enter_context(Emitter(cluster, f"{name}-{each}", String())) for each in "ab"
        }


def test_members_that_share_by_other_rules_are_told(
    cluster: Cluster, name: str, feeds: dict[str, Emitter]
) -> None:
    topic, graph = feeds["a"].topic, clicks.graph(clicks.count, name, feeds["a"].topic)
    other = KafkaConsumer(topic, bootstrap_servers=list(cluster.addresses), group_id=name)
    with closing(other):
        wait_until("it is a member", lambda: other.poll(2_000) or other.assignment())
        with pytest.raises(KafkaError, match=f"the group {name} has members that share"):
            Processor(cluster, graph, storage="memory").run()


@cases(("first", "second"), [("a", "ab"), ("a", "b")], [("ab", "a")])
def test_one_that_reads_all_works_and_one_that_cannot_share_says_so(
    cluster: Cluster,
    name: str,
    feeds: dict[str, Emitter],
    tmp_path: Path,
    first: str,
    second: str,
) -> None:
    def member(topics: str) -> Processor:
        inputs = [Input(feeds[each].topic, String(), clicks.count) for each in topics]
        graph = define_group(name, *inputs, Persist(clicks.UserCodec()))
        return Processor(cluster, graph, state_dir=tmp_path / topics)

    with (
        member(first).start().wait_running() as elder,
        View(cluster, elder.graph.table, clicks.UserCodec(), storage="memory") as view,
        ExitStack() as stack,
    ):
        view.wait_running()
        newcomer = member(second).start()
        stack.callback(newcomer.stop)
        if second == "b":
            with pytest.raises(KafkaError, match=f"read {name}-a, and this one reads {name}-b"):
                newcomer.wait(20)
        for i in range(400):
            for emitter in feeds.values():
                emitter.emit(f"user-{i % 20}", "now")
        wanted = 400 * len({*first, *second} - ({"b"} if second == "b" else set()))
        wait_until("all are counted", lambda: sum(counts(view).values()) >= wanted)
        assert sum(counts(view).values()) == wanted
        both = {elder, newcomer} if second != "b" else {elder}
        wait_until("they run", lambda: {each.state for each in both} == {State.RUNNING})
        assert elder.error is None
        assert sorted(p for each in (elder, newcomer) for p in each.partitions) == [0, 1, 2, 3]
