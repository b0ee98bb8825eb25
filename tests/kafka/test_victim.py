"""The victim of the notebooks: frozen between its two writes, killed, and started again."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import psutil
import pytest

from clicklib import Emitter
from clicklib.client.groups import Groups
from clicklib.client.topics import TopicManager
from clicklib.codec import String
from clicklib.lessons import Victim
from tests.waiting import wait_until


@pytest.fixture
def stream(cluster, name):
    """A stream of one partition."""
    with TopicManager(cluster) as topics:
        topics.ensure_stream(name, 1)
    return name


def emit(cluster, stream, clicks):
    with Emitter(cluster, stream, String()) as emitter:
        for _ in range(clicks):
            emitter.emit_sync("user-3", "now")


def test_at_least_once_a_kill_before_the_commit_counts_a_click_twice(cluster, stream):
    victim = Victim(cluster, stream, stream).wait_running()
    emit(cluster, stream, 2)
    assert victim.wait_committed().numbers() == {"clicked": 2, "counted": 2, "committed": 2}
    victim.freeze_before_commit()
    emit(cluster, stream, 1)
    assert victim.wait_frozen().numbers() == {"clicked": 3, "counted": 3, "committed": 2}
    victim.kill()
    with pytest.raises(RuntimeError, match="from its first cell"):
        victim.wait_committed()
    second = Victim(cluster, stream, stream).wait_committed()
    assert second.numbers() == {"clicked": 3, "counted": 4, "committed": 3}
    assert second.lines("offset 2") == victim.lines("offset 2") == ["callback: user-3, offset 2"]
    emit(cluster, stream, 5)
    second.stop()
    third = second.again().wait_committed()
    assert third.numbers() == {"clicked": 8, "counted": 9, "committed": 8}
    assert third.stop() == 0


def test_exactly_once_a_kill_inside_the_transaction_counts_each_click_once(cluster, stream):
    emit(cluster, stream, 3)
    victim = Victim(cluster, stream, stream, guarantee="exactly_once", freeze=True).wait_frozen()
    # The row is in the topic, and no reader of committed messages sees it.
    with Groups(cluster) as groups:
        assert groups.bounds(victim.graph.table) == {0: (0, 1)}
    assert victim.numbers() == {"clicked": 3, "counted": 0, "committed": 0}
    victim.kill()
    second = victim.again().wait_committed()
    assert second.numbers() == {"clicked": 3, "counted": 3, "committed": 3}
    assert len(victim.lines("callback")) == len(second.lines("callback")) == 3
    assert second.stop() == 0


KERNEL = """
import os, signal
from clicklib.lessons import Victim
victim = Victim({cluster!r}, {stream!r}, {stream!r}, freeze=True).wait_frozen()
print(victim.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_frozen_victim_ends_with_its_kernel(cluster, stream):
    emit(cluster, stream, 1)
    text = textwrap.dedent(KERNEL).format(cluster=str(cluster), stream=stream)
    kernel = subprocess.run([sys.executable, "-c", text], stdout=subprocess.PIPE, check=False)
    pid = int(kernel.stdout)
    wait_until("the victim has ended", lambda: not psutil.pid_exists(pid))


def broken(ctx, msg):
    missing(ctx)  # noqa: F821


def test_an_error_of_the_callback_is_told(cluster, stream):
    emit(cluster, stream, 1)
    victim = Victim(cluster, stream, stream, broken)
    with pytest.raises(RuntimeError, match="name 'missing' is not defined"):
        victim.wait_committed()
