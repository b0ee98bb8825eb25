"""Clicks are counted: the sum over all users and partitions is right."""

from __future__ import annotations

from collections import Counter

import pytest

from clicklib import Emitter, Input, Persist, Processor, View, clicks, define_group
from clicklib.client.group_reader import GroupReader
from clicklib.client.topics import TopicManager
from clicklib.codec import Int64, String
from clicklib.errors import TopicError
from tests.kafka.conftest import wait_for_counts
from tests.waiting import wait_until


def test_every_click_is_counted_once(cluster, graph, click, state):
    wanted = click(5_000, users=137)
    with (
        Processor(cluster, graph, state_dir=state).start() as processor,
        View(cluster, graph.table, clicks.UserCodec(), state_dir=state).start() as view,
    ):
        view.wait_running()
        wait_for_counts(view, wanted)
        wait_for_counts(view, wanted + click(2_000, users=137))
        stats = processor.stats()
        assert stats.records_in == 7_000
        assert stats.partitions == tuple(range(10))
        assert 137 <= stats.rows_out <= 7_000
        assert stats.rebalances == 1
        wait_until("no lag", lambda: not any(processor.stats().lag.values()))


def test_an_idle_processor_polls_less_often_and_commits_a_click_as_soon(
    cluster, graph, click, monkeypatch
):
    asked: list[float] = []
    poll = GroupReader.poll
    monkeypatch.setattr(
        GroupReader, "poll", lambda self, wait: asked.append(wait) or poll(self, wait)
    )
    click(1)
    with Processor(cluster, graph, storage="memory").start().wait_running() as processor:
        assert 0.5 not in asked  # a poll that waits for the first partitions ends only in its time
        wait_until("the click is handled", lambda: processor.stats().records_in == 1)
        wait_until("it is calm", lambda: asked[-1] == 0.5)
        click(1)
        wait_until("it is handled", lambda: processor.stats().records_in == 2)
        wait_until("it polls more often", lambda: asked[-1] == 0.1)


def test_several_inputs_feed_one_table(cluster, name, state):
    def add(ctx, number):
        ctx.set_value((ctx.value() or 0) + number)

    topics = [f"{name}-{i}" for i in range(3)]
    with TopicManager(cluster) as manager:
        for topic in topics:
            manager.ensure_stream(topic, 4)
    graph = define_group(name, *(Input(t, Int64(), add) for t in topics), Persist(Int64()))
    wanted: Counter[str] = Counter()
    for number, topic in enumerate(topics, 1):
        with Emitter(cluster, topic, Int64()) as emitter:
            for i in range(200):
                emitter.emit(f"k{i % 7}", number)
                wanted[f"k{i % 7}"] += number
    with (
        Processor(cluster, graph, state_dir=state).start().wait_running(),
        View(cluster, graph.table, Int64(), state_dir=state).start() as view,
    ):
        view.wait_running()
        wait_until("all are added", lambda: dict(view.items()) == dict(wanted))


def test_the_callback_sees_its_message(cluster, topic, name, state):
    seen = []

    def look(ctx, msg):
        seen.append((ctx.group, ctx.topic, ctx.key, ctx.partition, ctx.offset, ctx.headers, msg))
        assert ctx.timestamp > 1_700_000_000_000
        ctx.set_value(1)

    graph = define_group(name, Input(topic, String(), look), Persist(Int64()))
    with Emitter(cluster, topic, String(), headers={"a": b"1", "b": b"1"}) as emitter:
        partition, offset = emitter.emit_sync("user-3", "hello", headers={"b": b"2"})
    with Processor(cluster, graph, state_dir=state).start():
        wait_until("the message came", lambda: seen)
    headers = {"a": b"1", "b": b"2"}
    assert seen == [(name, topic, "user-3", partition, offset, headers, "hello")]


def test_a_tombstone_on_the_stream_is_skipped_and_one_on_the_table_deletes(
    cluster, topic, name, state
):
    def keep(ctx, msg):
        if msg == "delete":
            ctx.delete()
        else:
            ctx.set_value(msg)

    graph = define_group(name, Input(topic, String(), keep), Persist(String()))
    with (
        Emitter(cluster, topic, String()) as emitter,
        Processor(cluster, graph, state_dir=state).start().wait_running() as processor,
        View(cluster, graph.table, String(), state_dir=state).start().wait_running() as view,
    ):
        for key, msg in [("a", "1"), ("b", ""), ("c", "3"), ("", "5"), ("a", None)]:
            emitter.emit(key, msg)
        emitter.emit("c", "delete")
        wait_until("all came", lambda: processor.stats().records_in == 6)
        wait_until("the view follows", lambda: dict(view.items()) == {"": "5", "a": "1", "b": ""})
        assert view.get("c") is None
        assert "c" not in view
        assert "b" in view
        assert processor.get("a") == "1"
        assert processor.get("c") is None


def test_a_new_group_may_start_at_the_newest_message(cluster, graph, click, state):
    click(100)
    with Processor(cluster, graph, start="newest", state_dir=state).start() as processor:
        processor.wait_running()
        later = click(50)
        wait_until("the later ones came", lambda: processor.stats().records_in >= 50)
        with View(cluster, graph.table, clicks.UserCodec(), state_dir=state).start() as view:
            view.wait_running()
            wait_for_counts(view, later)


def test_the_callback_for_updates_gets_each_stored_row(cluster, graph, click, state):
    rows: dict[str, int] = {}
    processor = Processor(
        cluster,
        graph,
        storage="memory",
        on_update=lambda key, user: rows.update({key: user.clicks}),
    )
    with processor.start():
        wanted = click(500)
        wait_until("the rows came", lambda: rows == dict(wanted))


def test_partition_counts_are_checked_before_anything_starts(cluster, graph, topic):
    with TopicManager(cluster) as manager:
        manager.ensure_table(graph.table, 5)
    with pytest.raises(TopicError, match=f"{topic} has 10, {graph.table} has 5"):
        Processor(cluster, graph).run()


def test_a_missing_input_is_named(cluster, name):
    graph = clicks.graph(clicks.count, name, f"{name}-nowhere")
    with pytest.raises(TopicError, match=r"ensure_stream.*topic .*-nowhere"):
        Processor(cluster, graph).run()
