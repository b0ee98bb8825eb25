"""Members come and go under load; nothing is lost, and partitions are shared as Goka would."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from clicklib import Emitter, Processor, View, clicks
from clicklib.codec import String
from tests.kafka.conftest import Load, counts, wait_for_counts, wait_until_counted
from tests.waiting import wait_until


@pytest.fixture
def load(cluster, topic):
    load = Load(cluster, topic, patience=30)
    yield load
    load.stop()


def test_a_second_member_comes_and_goes_under_load(cluster, graph, load, tmp_path):
    def share(*members):
        return [processor.partitions for processor in members if processor.recovered]

    seen: list[tuple[int, ...]] = []
    first = Processor(cluster, graph, state_dir=tmp_path / "1", on_rebalance=seen.append)
    second = Processor(cluster, graph, state_dir=tmp_path / "2")
    everything = tuple(range(10))
    with first.start(), View(cluster, graph.table, clicks.UserCodec(), storage="memory") as view:
        wait_until("one has all", lambda: share(first) == [everything])
        view.wait_running()
        with second.start():
            wait_until(
                "each has five",
                lambda: sorted(share(first, second)) == [everything[:5], everything[5:]],
            )
            handled = second.stats().records_in
            wait_until("the second works", lambda: second.stats().records_in > handled + 100)
        wait_until("one has all again", lambda: share(first) == [everything])
        assert second.error is None
        wait_for_counts(view, load.stop())
    assert [len(partitions) for partitions in seen] == [10, 5, 10]


def test_an_eleventh_member_idles_and_takes_over(cluster, graph, click, tmp_path):
    members = [Processor(cluster, graph, storage="memory") for _ in range(11)]
    try:
        for processor in members:
            processor.start()
        wait_until(
            "ten have one, the eleventh none",
            lambda: sorted(len(m.partitions) for m in members if m.recovered) == [0] + [1] * 10,
        )
        wanted = click(1_000, users=100)
        [idle] = [m for m in members if not m.partitions]
        busy = next(m for m in members if m.partitions)
        busy.stop()
        wait_until("it is not idle any more", lambda: idle.partitions)
        with View(cluster, graph.table, clicks.UserCodec(), storage="memory").start() as view:
            view.wait_running()
            wait_for_counts(view, wanted)
    finally:
        for processor in members:
            processor.stop()
    assert [m.error for m in members] == [None] * 11


def test_a_rebalance_while_a_table_recovers(cluster, graph, click, tmp_path):
    wanted = click(20_000, users=5_000)
    with Processor(cluster, graph, storage="memory").start() as processor:
        wait_until("all came", lambda: processor.stats().records_in == 20_000)
    first = Processor(cluster, graph, state_dir=tmp_path / "1")
    second = Processor(cluster, graph, state_dir=tmp_path / "2")
    with first.start(), second.start():
        wanted += click(1_000, users=5_000)
        for processor in (first, second):
            processor.wait_running()
        with View(cluster, graph.table, clicks.UserCodec(), storage="memory").start() as view:
            view.wait_running()
            wait_for_counts(view, wanted)
        wait_until(
            "both have five",
            lambda: [len(p.partitions) for p in (first, second) if p.recovered] == [5, 5],
        )
    assert (first.error, second.error) == (None, None)


def test_a_slow_callback_is_finished_before_its_partition_moves(cluster, topic, name, tmp_path):
    from clicklib import Input, Persist, define_group
    from clicklib.codec import Int64

    entered, release, log = threading.Event(), threading.Event(), []

    def slow(ctx, msg):
        log.append("begin")
        entered.set()
        release.wait(20)
        ctx.set_value((ctx.value() or 0) + 1)
        log.append("end")

    graph = define_group(name, Input(topic, String(), slow), Persist(Int64()))
    first = Processor(cluster, graph, state_dir=tmp_path / "1")
    second = Processor(cluster, graph, state_dir=tmp_path / "2")
    with first.start(), Emitter(cluster, topic, String()) as emitter:
        first.wait_running()
        emitter.emit_sync("user-3", "now")
        assert entered.wait(10)
        with second.start():
            wait_until("the group rebalances", lambda: first.stats().rebalances == 1)
            assert log == ["begin"]
            release.set()
            for processor in (first, second):
                wait_until(
                    "both are in", lambda p=processor: p.recovered and len(p.partitions) == 5
                )
            emitter.emit_sync("user-3", "now")
            wait_until("the next one is handled", lambda: log == ["begin", "end"] * 2)
    with View(cluster, graph.table, Int64(), storage="memory").start() as view:
        view.wait_running()
        assert view.get("user-3") == 2


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_a_member_comes_or_goes_each_second(cluster, graph, load, tmp_path, guarantee, caplog):
    caplog.set_level(logging.WARNING, "clicklib")
    options = {"guarantee": guarantee, "session_timeout": 6.0}
    steady = Processor(cluster, graph, state_dir=tmp_path / "steady", **options)
    others = [Processor(cluster, graph, state_dir=tmp_path / f"{n}", **options) for n in range(3)]
    away, there = others.copy(), []
    with (
        steady.start().wait_running(),
        View(cluster, graph.table, clicks.UserCodec(), storage="memory") as view,
    ):
        view.wait_running()
        begun = time.monotonic()
        for step in range(1, 61):
            if away and (not there or step % 3):
                there.append(away.pop(0).start())
            else:
                away.append(there.pop(0))
                assert away[-1].stop()
            wait_until("a second is over", lambda s=step: time.monotonic() > begun + s, timeout=20)
        for member in there:
            assert member.stop()
        wanted = load.stop()
        wait_until_counted(view, wanted, 60)
        wait_until("no lag", lambda: not any(steady.stats().lag.values()))
        repeats = "messages repeat" in caplog.text
        if guarantee == "exactly_once" or not repeats:
            assert counts(view) == dict(wanted)
        assert steady.stats().rebalances > 5
    assert [member.error for member in (steady, *others)] == [None] * 4
