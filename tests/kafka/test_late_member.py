"""A member that is too slow for its group: its partitions move on, and it comes back."""

from __future__ import annotations

import threading
from collections import Counter

from clicklib import Emitter, Processor, View, clicks
from clicklib.codec import String
from clicklib.keys import partition_of
from tests.kafka.conftest import counts, wait_for_counts
from tests.support.long import GUARANTEES
from tests.waiting import wait_until


@GUARANTEES
def test_a_callback_that_outlasts_the_handover_counts_nothing(
    cluster, graph, topic, click, tmp_path, guarantee
):
    """The group waits for it half of `max_poll_interval`; then the message is another member's."""
    release, users = threading.Event(), [f"user-{n}" for n in range(30)]
    entered = set()

    def slow(ctx, msg):
        entered.add(ctx.partition)
        release.wait(60)
        clicks.count(ctx, msg)

    late = Processor(
        cluster,
        clicks.graph(slow, graph.group, topic),
        guarantee=guarantee,
        state_dir=tmp_path / "late",
        max_poll_interval=6.0,
    )
    quick = Processor(cluster, graph, guarantee=guarantee, state_dir=tmp_path / "quick")
    with (
        late.start().wait_running(),
        View(cluster, graph.table, clicks.UserCodec(), storage="memory") as view,
        Emitter(cluster, topic, String()) as emitter,
    ):
        view.wait_running()
        for user in users:
            emitter.emit_sync(user, "now")
        hit = {partition_of(user.encode(), 10) for user in users}
        wait_until("all partitions wait for their callbacks", lambda: entered == hit)
        with quick.start():
            wait_until("each has five", lambda: len(quick.partitions) == 5)
            moved = {u for u in users if partition_of(u.encode(), 10) in quick.partitions}
            wait_until("what moved is counted", lambda: counts(view).keys() == moved)
            release.set()
            wanted = Counter(users)
            wait_for_counts(view, wanted, timeout=60)
            wait_until("both are in", lambda: len(late.partitions) == 5 and late.recovered)
            wanted += click(100)
            wait_for_counts(view, wanted, timeout=60)
    assert (late.error, quick.error) == (None, None)


@GUARANTEES
def test_a_member_that_does_not_poll_is_replaced_and_comes_back(
    cluster, graph, click, tmp_path, guarantee
):
    entered, release = threading.Event(), threading.Event()

    def slow(owned):
        entered.set()
        release.wait(60)

    late = Processor(
        cluster,
        graph,
        guarantee=guarantee,
        state_dir=tmp_path / "late",
        max_poll_interval=2.0,
        on_rebalance=slow,
    )
    quick = Processor(cluster, graph, guarantee=guarantee, state_dir=tmp_path / "quick")
    with (
        late.start(),
        View(cluster, graph.table, clicks.UserCodec(), storage="memory") as view,
    ):
        assert entered.wait(30)
        with quick.start():
            wait_until("one has all", lambda: len(quick.partitions) == 10)
            view.wait_running()
            wanted = click(500)
            wait_for_counts(view, wanted)
            release.set()
            wait_until(
                "each has five",
                lambda: [len(p.partitions) for p in (late, quick) if p.recovered] == [5, 5],
            )
            wanted += click(500)
            wait_for_counts(view, wanted)
    assert (late.error, quick.error) == (None, None)
