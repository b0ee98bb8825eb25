"""What is dropped without a close goes; what a fork or a callback cannot use says so at once."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import psutil
import pytest

from clicklib import (
    Cluster,
    Emitter,
    Graph,
    Groups,
    Logs,
    Processor,
    String,
    TopicManager,
    UsageError,
    View,
    clicks,
)
from tests.support.long import cases
from tests.waiting import wait_until


def held() -> tuple[int, int]:
    """How many threads and file handles this process has."""
    gc.collect()
    return threading.active_count(), psutil.Process().num_fds()


QUESTIONS: dict[Any, dict[str, Callable[[Any, str], Any]]] = {
    TopicManager: {
        "find": lambda topics, topic: topics.find(topic),
        "ensure_stream": lambda topics, topic: topics.ensure_stream(topic),
        "copies": lambda topics, topic: topics.copies(topic),
        "names": lambda topics, topic: topics.names(),
        "delete": lambda topics, topic: topics.delete([f"{topic}-not-there"]),
        "cluster_id": lambda topics, topic: topics.cluster_id,
    },
    Groups: {
        "describe": lambda groups, topic: groups.describe(topic, [topic]),
        "bounds": lambda groups, topic: groups.bounds(topic),
    },
    Logs: {
        "newest": lambda logs, topic: logs.newest(),
        "last": lambda logs, topic: logs.last("user-3"),
    },
}


def asked(cluster: Cluster, topic: str, kind: Any) -> Any:
    """One that was made and has answered."""
    made = kind(cluster, topic) if kind is Logs else kind(cluster)
    for question in QUESTIONS[kind].values():
        question(made, topic)
    return made


@pytest.mark.parametrize("kind", QUESTIONS)
def test_what_was_closed_says_so_at_each_question(cluster: Cluster, topic: str, kind: Any) -> None:
    with asked(cluster, topic, kind) as made:
        threads = [threading.Thread(target=made.close) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    for question in QUESTIONS[kind].values():
        with pytest.raises(UsageError, match=f"this {kind.__name__} is closed"):
            question(made, topic)


@cases("kind", ["emitter", "view"], ["a view that starts", TopicManager, Groups, Logs])
def test_what_is_dropped_without_a_close_leaves_nothing(
    cluster: Cluster, topic: str, graph: Graph, kind: Any
) -> None:
    def make() -> None:
        if not isinstance(kind, str):
            asked(cluster, topic, kind)
        elif kind == "emitter":
            Emitter(cluster, topic, String()).emit("user-3", "now").result(10)
        else:
            view = View(cluster, graph.table, clicks.UserCodec(), storage="memory").start()
            view.wait_running() if kind == "view" else None

    with Processor(cluster, graph, storage="memory").start().wait_running():
        threads, files = held()
        for _ in range(5):
            make()
        wait_until("the threads are gone", lambda: held()[0] <= threads)
        wait_until("the files are closed", lambda: held()[1] <= files + 1)


def test_a_message_of_an_emitter_that_is_dropped_is_delivered(cluster: Cluster, topic: str) -> None:
    promise = Emitter(cluster, topic, String()).emit("user-3", "now")
    gc.collect()
    assert promise.result(10)[1] == 0


CALLS: dict[str, Callable[[Emitter], Any]] = {
    "emit_sync": lambda emitter: emitter.emit_sync("user-3", "now"),
    "flush": lambda emitter: emitter.flush(),
    "close": lambda emitter: emitter.close(),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_callback_of_a_future_that_would_wait_for_itself_is_told(
    cluster: Cluster, topic: str, call: Callable[[Emitter], Any]
) -> None:
    seen: list[Any] = []

    def callback(_: Any) -> None:
        try:
            seen.append(call(emitter))
        except Exception as exc:
            seen.append(exc)

    with Emitter(cluster, topic, String()) as emitter:
        emitter.emit("user-3", "now").add_done_callback(callback)
        wait_until("the callback has ended", lambda: seen)
        assert isinstance(seen[0], UsageError)
        assert "on another thread" in str(seen[0])
        emitter.emit_sync("user-3", "now", timeout=10)  # it goes on


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_callback_of_a_future_may_raise_anything(
    cluster: Cluster, topic: str, error: type[BaseException]
) -> None:
    def callback(_: Any) -> None:
        raise error

    with Emitter(cluster, topic, String()) as emitter:
        emitter.emit("user-3", "now").add_done_callback(callback)
        assert emitter.emit_sync("user-3", "now", timeout=10)


def in_a_fork(call: Callable[[], Any]) -> str:
    """What the call raises in a forked process."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            call()
            os.write(writes, b"nothing")
        except BaseException as exc:
            os.write(writes, f"{type(exc).__name__}: {exc}".encode())
        finally:
            os._exit(0)
    os.close(writes)
    try:
        with os.fdopen(reads, "rb") as answer:
            return answer.read().decode()
    finally:
        os.waitpid(child, 0)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_what_was_made_before_a_fork_says_so_after_it(
    cluster: Cluster, topic: str, graph: Graph
) -> None:
    with (
        Processor(cluster, graph, storage="memory").start().wait_running() as processor,
        View(cluster, graph.table, clicks.UserCodec(), storage="memory") as view,
        Emitter(cluster, topic, String()) as emitter,
        ExitStack() as stack,
    ):
        view.wait_running()
        others = [stack.enter_context(asked(cluster, topic, kind)) for kind in QUESTIONS]
        calls: list[Callable[[], Any]] = [
            *(
                lambda call=call, made=made: call(made, topic)
                for made in others
                for call in (*QUESTIONS[type(made)].values(), lambda made, _: made.close())
            ),
            *(lambda call=call: call(emitter) for call in CALLS.values()),
            lambda: emitter.emit("user-3", "now"),
            lambda: view.get("user-3"),
            lambda: len(view),
            lambda: list(view.items()),
            lambda: processor.get("user-3"),
            *(
                lambda call=call: call()
                for each in (processor, view)
                for call in (each.start, each.stop, each.wait, each.wait_running, each.run)
            ),
        ]
        for call in calls:
            said = in_a_fork(call)
            assert said.startswith("UsageError: "), calls.index(call)
        assert in_a_fork(Processor(cluster, graph, storage="memory").stop) == "nothing"
        assert emitter.emit_sync("user-3", "now", timeout=10)  # here all is well
        wait_until("it is counted", lambda: view.get("user-3"))
