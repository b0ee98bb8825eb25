"""The clock of the machine jumps: nothing waits by it, and nothing is counted by it."""

from __future__ import annotations

import time

from clicklib import Processor, View, clicks
from tests.kafka.conftest import wait_for_counts
from tests.support.long import GUARANTEES

DAY = 86_400.0


@GUARANTEES
def test_the_clock_jumps_by_days(cluster, graph, click, state, monkeypatch, guarantee):
    right = time.time
    wanted = click(200)
    with (
        Processor(cluster, graph, guarantee=guarantee, state_dir=state).start() as processor,
        View(cluster, graph.table, clicks.UserCodec(), state_dir=state).start() as view,
    ):
        view.wait_running()
        wait_for_counts(view, wanted)
        for jump in (DAY, -400 * DAY, 0):
            monkeypatch.setattr(time, "time", lambda jump=jump: right() + jump)
            wanted += click(200)
            wait_for_counts(view, wanted)
        assert processor.stats().rebalances == 1
        assert processor.stats().records_in == 800
    assert processor.error is None
