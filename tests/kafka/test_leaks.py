"""Starting and stopping leaves nothing: no thread, no file handle, no process, no lock."""

from __future__ import annotations

import gc
import threading

import psutil

from clicklib import Emitter, Processor, View, clicks
from clicklib.codec import String
from tests.support.long import cases
from tests.waiting import wait_until


def held():
    """What this process holds: threads, open files and sockets, children."""
    gc.collect()
    me = psutil.Process()
    children = {child.pid for child in me.children(recursive=True)}
    return threading.active_count(), me.num_fds(), children


@cases("times", [4], [50])
def test_many_starts_and_stops_leave_nothing(cluster, graph, topic, click, state, times):
    click(100)

    def once(i):
        processor = Processor(cluster, graph, state_dir=state)
        view = View(cluster, graph.table, clicks.UserCodec(), state_dir=state)
        emitter = Emitter(cluster, topic, String())
        processor.start()
        view.start()
        if i % 3:
            processor.wait_running()
            emitter.emit("user-3", "now")
        if i % 2:
            view.wait_running()
        for part in (emitter.close, processor.stop, view.stop)[:: 1 if i % 2 else -1]:
            part()
            part()
        assert (processor.error, view.error) == (None, None)
        assert {processor.state, view.state} == {"stopped"}

    once(1)
    threads, files, children = held()
    for i in range(times):
        once(i)
    wait_until("the threads are gone", lambda: threading.active_count() <= threads)
    wait_until("the files are closed", lambda: held()[1] <= files + 1)
    assert held()[2] == children


def test_stop_from_a_callback_and_from_many_threads(cluster, graph, topic, click, state):
    stopped = []

    def callback(ctx, msg):
        clicks.count(ctx, msg)
        stopped.append(processor.stop())

    processor = Processor(
        cluster, clicks.graph(callback, graph.group, topic), state_dir=state
    ).start()
    click(1)
    assert processor.wait(20)
    assert stopped == [False]
    processor.start().wait_running()
    threads = [threading.Thread(target=processor.stop) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(15)
    assert processor.state == "stopped"
    assert processor.error is None


def test_stop_is_bounded_when_a_callback_does_not_return(cluster, graph, topic, click, state):
    entered, release = threading.Event(), threading.Event()

    def callback(ctx, msg):
        entered.set()
        release.wait(30)
        clicks.count(ctx, msg)

    processor = Processor(cluster, clicks.graph(callback, graph.group, topic), state_dir=state)
    processor.start()
    click(1)
    assert entered.wait(20)
    assert not processor.stop(timeout=2)  # its callback is still there
    assert processor.state == "stopped"
    release.set()
    # The message was not committed: it comes again, and is counted once.
    again = Processor(cluster, graph, state_dir=state)
    with again.start():
        again.wait_running()
        wait_until("it is counted", lambda: again.get("user-0") == clicks.User(1))
