"""No room for the local store: a clear error, and nothing is lost once there is room again."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from clicklib import Processor, View, clicks
from tests.kafka.conftest import counts
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no limit on the size of files"
)

# A file that may not grow meets the program as a full disk does: the write fails.
SMALL = """
import resource, sys
from clicklib import Processor, View, clicks
from clicklib.errors import StoreError

kind, cluster, group, topic, state, guarantee = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
graph = clicks.graph(clicks.count, group, topic)
if kind == "view":
    part = View(cluster, graph.table, clicks.UserCodec(), state_dir=state)
else:
    part = Processor(cluster, graph, guarantee=guarantee, state_dir=state)
try:
    part.run()
except StoreError as error:
    print(part.state, error)
"""


def run_with_small_files(kind, cluster, graph, state, guarantee="at_least_once"):
    """Run a processor or a view until it stops; returns what it says."""
    args = [kind, str(cluster), graph.group, *graph.topics, str(state), guarantee]
    done = subprocess.run(
        [sys.executable, "-c", SMALL, *args], capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
def test_a_processor_stops_with_a_store_error_and_goes_on_later(
    cluster, graph, click, state, guarantee
):
    wanted = click(20_000, users=20_000)
    told = run_with_small_files("processor", cluster, graph, state, guarantee)
    assert told.startswith("failed")
    assert "if there is room on its disk" in told
    wanted += click(1_000, users=20_000)
    processor = Processor(cluster, graph, guarantee=guarantee, state_dir=state)
    with (
        processor.start().wait_running(60),
        View(cluster, graph.table, clicks.UserCodec(), storage="memory") as view,
    ):
        view.wait_running(60)
        wait_until("all came", lambda: processor.get("user-999") == clicks.User(2))
        wait_until("no lag", lambda: not any(processor.stats().lag.values()))
        wait_until("no click is missing", lambda: not wanted - Counter(counts(view)))
        if guarantee == "exactly_once":
            assert counts(view) == dict(wanted)
    assert processor.error is None


def test_a_view_stops_with_a_store_error_and_goes_on_later(cluster, graph, click, state):
    wanted = click(20_000, users=20_000)
    with Processor(cluster, graph, storage="memory").start() as processor:
        wait_until("all came", lambda: processor.stats().records_in == 20_000)
    told = run_with_small_files("view", cluster, graph, state)
    assert told.startswith("failed")
    assert "if there is room on its disk" in told
    with View(cluster, graph.table, clicks.UserCodec(), state_dir=state).start() as view:
        view.wait_running(60)
        assert counts(view) == dict(wanted)
