"""A slow callback delays its own partition only, and memory stays bounded behind it."""

from __future__ import annotations

import threading

from clicklib import Emitter, Input, Persist, Processor, define_group
from clicklib.codec import Int64, String
from clicklib.engine import membership
from clicklib.keys import partition_of
from tests.waiting import wait_until


def test_a_slow_partition_does_not_delay_another(cluster, topic, name, state):
    release = threading.Event()

    def callback(ctx, msg):
        if ctx.key == "slow":
            release.wait(60)
        ctx.set_value((ctx.value() or 0) + 1)

    others = [
        f"u{i}" for i in range(40) if partition_of(b"u%d" % i, 10) != partition_of(b"slow", 10)
    ]
    graph = define_group(name, Input(topic, String(), callback), Persist(Int64()))
    with (
        Processor(cluster, graph, state_dir=state).start().wait_running() as counter,
        Emitter(cluster, topic, String()) as emitter,
    ):
        emitter.emit("slow", "now")
        for _ in range(20):
            for key in others:
                emitter.emit(key, "now")
        wait_until("the others are counted", lambda: all(counter.get(k) == 20 for k in others))
        assert counter.get("slow") is None
        release.set()
        wait_until("the slow one too", lambda: counter.get("slow") == 1)


def test_a_stalled_partition_is_paused_and_later_catches_up(
    cluster, topic, name, state, monkeypatch
):
    monkeypatch.setattr(membership, "_QUEUE_BYTES", 1 << 20)
    entered, release = threading.Event(), threading.Event()

    def callback(ctx, msg):
        entered.set()
        release.wait(60)
        ctx.set_value((ctx.value() or 0) + 1)

    graph = define_group(name, Input(topic, String(), callback), Persist(Int64()))
    total, text = 4_000, "x" * 2_000
    with (
        Emitter(cluster, topic, String()) as emitter,
        Processor(cluster, graph, state_dir=state).start().wait_running() as counter,
    ):
        for _ in range(total):
            emitter.emit("slow", text)
        emitter.flush()
        assert entered.wait(10)
        worker = counter._membership.handover.workers[partition_of(b"slow", 10)]
        wait_until("its inbox is full", lambda: worker.queued > 1 << 20)
        # One more fetch may be on its way when it is paused; the rest stays in Kafka.
        assert worker.queued < 3 << 20 < total * len(text)
        release.set()
        wait_until("all are counted", lambda: counter.get("slow") == total)
