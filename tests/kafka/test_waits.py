"""Each public call that waits for Kafka has a limit, keeps it, and says what it waited for.

The calls are those behind the one door: constructors, methods, properties and `with`. One that is
in no list here fails the test: whoever adds a call says whether it waits, and for how long. The
calls are made side by side where nothing listens, where a socket accepts and stays silent, and
where a real broker is cut off, hangs, or is slow to answer.
"""

from __future__ import annotations

import itertools
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

import clicklib
from clicklib import (
    ClicklibError,
    Emitter,
    Graph,
    Groups,
    Logs,
    Processor,
    TopicManager,
    View,
    clicks,
)
from clicklib.breaking.proxy import Proxy, proxies
from clicklib.client.retry import keep_trying
from clicklib.codec import String
from tests.support.long import cases
from tests.waiting import wait_until

LIMIT = 1.5  # seconds that a call is given
SLACK = 1.4  # seconds that it may take longer on a busy machine; less than to wait a second time
DEFAULT = 10.0  # seconds: the limit at the end of a `with` block
ANSWER = 0.8  # seconds that a slow broker takes: one answer comes in time, two do not


class Stage:
    """Makes what is called: clients of the broker at `address`."""

    def __init__(self, address: str, graph: Graph, stack: ExitStack) -> None:
        self.address, self.graph, self.topic, self._stack = address, graph, graph.topics[0], stack
        self._numbers = itertools.count(1)
        self.closed: list[Future[Any]] = []  # the messages of emitters that were closed

    def topics(self) -> TopicManager:
        return self._stack.enter_context(TopicManager(self.address, LIMIT))

    def groups(self) -> Groups:
        return self._stack.enter_context(Groups(self.address, LIMIT))

    def logs(self) -> Logs:
        return self._stack.enter_context(Logs(self.address, self.topic, LIMIT))

    def emitter(self, delivery_timeout: float = 60.0) -> Emitter:
        """One that has no room but for one message."""
        made = Emitter(
            self.address, self.topic, String(), buffer=1, delivery_timeout=delivery_timeout
        )
        self._stack.callback(made.close, 5)
        return made

    def emitted(self, emitter: Emitter, call: Callable[[Emitter], Any]) -> None:
        """Make `call` after a message, which is then acknowledged or given up."""
        promise = emitter.emit("a", "now")
        try:
            call(emitter)
        finally:
            if emitter.closed:
                self.closed.append(promise)

    def processor(self, number: int = 0, patience: float = LIMIT, **settings: Any) -> Processor:
        """One in a group of its own; with a number, in the group with this number."""
        group = f"{self.graph.group}-{number or next(self._numbers)}"
        graph = clicks.graph(clicks.count, group, self.topic)
        made = Processor(
            self.address, graph, storage="memory", connect_timeout=patience, **settings
        )
        self._stack.callback(made.stop)
        return made

    def view(self, patience: float = LIMIT) -> View:
        table = self.graph.table
        made = View(
            self.address, table, clicks.UserCodec(), storage="memory", connect_timeout=patience
        )
        self._stack.callback(made.stop)
        return made

    def running_processor(self, number: int = 0) -> Processor:
        return self.processor(number).start().wait_running()

    def edited_processor(self) -> Processor:
        """One that does not run, beside one of its group that does."""
        number = next(self._numbers)
        self.running_processor(number)
        return self.processor(number)

    def running_view(self) -> View:
        return self.view().start().wait_running()

    def patient(self) -> list[Processor | View]:
        """Parts that wait for their broker for long, started: both guarantees, and a view."""
        made = [self.processor(patience=60), self.view(60)]
        made.insert(1, self.processor(patience=60, guarantee="exactly_once"))
        return [each.start() for each in made]


def stopped_late(parts: list[Processor | View], limit: float = SLACK) -> list[str]:
    """Those that take longer than `limit` seconds to stop."""
    late = []
    for each in parts:
        before, begun = repr(each), time.monotonic()
        if not each.stop(60) or time.monotonic() - begun > limit:
            late.append(f"{before} took {time.monotonic() - begun:.1f} s")
    return late


Call = Callable[[Stage, Any], Any]
Make = Callable[[Stage], Any]


def _nothing(stage: Stage) -> None: ...


# What connects. Where no broker answers, these say the address and the limit.
CONNECT: dict[str, Call] = {
    "Emitter": lambda it, _: Emitter(it.address, it.topic, String(), connect_timeout=LIMIT),
    "Groups": lambda it, _: Groups(it.address, LIMIT),
    "Logs": lambda it, _: Logs(it.address, it.topic, LIMIT),
    "TopicManager": lambda it, _: TopicManager(it.address, LIMIT),
    "Processor.run": lambda it, _: it.processor().run(),
    "View.run": lambda it, _: it.view().run(),
}
NOT_THERE = "no broker answers at"
DESCRIBE = "cannot (describe the topics? t|read the topic's configuration: )"

# What is made while the broker answers, what is called when it does not, and what the error says.
CALLS: dict[str, tuple[Make, Call, str]] = {
    **{
        name: (_nothing, CONNECT[name], f"{NOT_THERE}|cannot|has not named")
        for name in list(CONNECT)[:4]
    },
    "TopicManager.__enter__": (Stage.topics, lambda it, topics: topics.__enter__(), ""),
    "TopicManager.__exit__": (Stage.topics, lambda it, topics: topics.__exit__(), ""),
    "TopicManager.close": (Stage.topics, lambda it, topics: topics.close(), ""),
    "TopicManager.cluster_id": (Stage.topics, lambda it, topics: topics.cluster_id, "the cluster"),
    "TopicManager.copies": (Stage.topics, lambda it, topics: topics.copies(it.topic), DESCRIBE),
    "TopicManager.delete": (
        Stage.topics,
        lambda it, topics: topics.delete([f"{it.topic}-spare"]),
        "cannot (delete|describe) the topics",
    ),
    "TopicManager.ensure_copartitioned": (
        Stage.topics,
        lambda it, topics: topics.ensure_copartitioned([it.topic], it.graph.table),
        DESCRIBE,
    ),
    "TopicManager.ensure_stream": (
        Stage.topics,
        lambda it, topics: topics.ensure_stream(it.topic),
        DESCRIBE,
    ),
    "TopicManager.ensure_table": (
        Stage.topics,
        lambda it, topics: topics.ensure_table(it.graph.table),
        DESCRIBE,
    ),
    "TopicManager.find": (Stage.topics, lambda it, topics: topics.find(it.topic), DESCRIBE),
    "TopicManager.names": (Stage.topics, lambda it, topics: topics.names(), "list the topics"),
    "Groups.__enter__": (Stage.groups, lambda it, groups: groups.__enter__(), ""),
    "Groups.__exit__": (Stage.groups, lambda it, groups: groups.__exit__(), ""),
    "Groups.bounds": (
        Stage.groups,
        lambda it, groups: groups.bounds(it.topic),
        "cannot (describe the topics|ask for the offsets of) t",
    ),
    "Groups.close": (Stage.groups, lambda it, groups: groups.close(), ""),
    "Groups.describe": (
        Stage.groups,
        lambda it, groups: groups.describe(it.graph.group, [it.topic]),
        "cannot (describe|read|ask for) the (group|topics|offsets of)",
    ),
    "Logs.__enter__": (Stage.logs, lambda it, logs: logs.__enter__(), ""),
    "Logs.__exit__": (Stage.logs, lambda it, logs: logs.__exit__(), ""),
    "Logs.close": (Stage.logs, lambda it, logs: logs.close(), ""),
    "Logs.last": (Stage.logs, lambda it, logs: logs.last("a", LIMIT), "topic's offsets|log was"),
    "Logs.newest": (Stage.logs, lambda it, logs: logs.newest(9, LIMIT), "topic's offsets|log was"),
    "Emitter.__enter__": (Stage.emitter, lambda it, emitter: emitter.__enter__(), ""),
    "Emitter.__exit__": (
        lambda it: it.emitter(delivery_timeout=LIMIT),
        lambda it, emitter: it.emitted(emitter, lambda one: one.__exit__(None)),
        "did not take the message",
    ),
    "Emitter.close": (
        Stage.emitter,
        lambda it, emitter: it.emitted(emitter, lambda one: one.close(LIMIT)),
        "",
    ),
    "Emitter.emit": (
        lambda it: it.emitter(delivery_timeout=LIMIT),
        lambda it, emitter: it.emitted(emitter, lambda one: one.emit("a", "now")),
        "no room in the buffer within|did not take the message",
    ),
    "Emitter.emit_frame": (
        lambda it: it.emitter(delivery_timeout=LIMIT),
        lambda it, emitter: emitter.emit_frame(
            pd.DataFrame({"key": ["a"], "n": ["1"]}), "key", "n"
        ),
        "did not take 1 of 1 messages|cannot encode",
    ),
    "Emitter.emit_many": (
        lambda it: it.emitter(delivery_timeout=LIMIT),
        lambda it, emitter: emitter.emit_many([("a", "1"), ("b", "2")]),
        "did not take . of . messages",
    ),
    "Emitter.emit_sync": (
        Stage.emitter,
        lambda it, emitter: it.emitted(
            emitter, lambda emitter: emitter.emit_sync("a", "", timeout=LIMIT)
        ),
        "has not acknowledged the message within",
    ),
    "Emitter.error": (Stage.emitter, lambda it, emitter: emitter.error, ""),
    "Emitter.flush": (
        Stage.emitter,
        lambda it, emitter: it.emitted(emitter, lambda one: one.flush(LIMIT)),
        "",
    ),
    "Emitter.stats": (Stage.emitter, lambda it, emitter: emitter.stats(), ""),
    "Processor.__enter__": (Stage.processor, lambda it, processor: processor.__enter__(), ""),
    "Processor.start": (Stage.processor, lambda it, processor: processor.start(), ""),
    "Processor.stop": (
        Stage.running_processor,
        lambda it, processor: processor.stop(LIMIT),
        "",
    ),
    "Processor.__exit__": (
        Stage.running_processor,
        lambda it, processor: processor.__exit__(),
        "",
    ),
    "Processor.stop_others": (
        Stage.edited_processor,
        lambda it, processor: processor.stop_others(LIMIT),
        "",
    ),
    "Processor.wait": (Stage.running_processor, lambda it, processor: processor.wait(LIMIT), ""),
    "Processor.wait_running": (
        Stage.processor,
        lambda it, processor: processor.start().wait_running(LIMIT),
        f"processor t.* is still starting after {LIMIT:g} s|{NOT_THERE}|cannot",
    ),
    "View.__enter__": (Stage.view, lambda it, view: view.__enter__(), ""),
    "View.__exit__": (Stage.running_view, lambda it, view: view.__exit__(), ""),
    "View.start": (Stage.view, lambda it, view: view.start(), ""),
    "View.stop": (Stage.running_view, lambda it, view: view.stop(LIMIT), ""),
    "View.wait": (Stage.running_view, lambda it, view: view.wait(LIMIT), ""),
    "View.wait_running": (
        Stage.view,
        lambda it, view: view.start().wait_running(LIMIT),
        f"view t.* is still starting after {LIMIT:g} s|{NOT_THERE}|cannot",
    ),
}
# Their limit is that of the `with` block, or of `stop`.
LONGER = {"Emitter.emit_many": 2 * LIMIT}  # two messages, each with its own time to be delivered
LONGER |= {"Emitter.__exit__": DEFAULT, "Processor.__exit__": DEFAULT, "View.__exit__": DEFAULT}
# These answer from memory, or from the local store.
AT_ONCE = {
    *("Processor.error", "Processor.get", "Processor.partitions", "Processor.progress"),
    *("Processor.state", "Processor.stats", "Processor", "View", "View.__contains__"),
    *("View.__len__", "View.error", "View.evict", "View.get", "View.items", "View.progress"),
    *("Processor.recovered", "View.positions", "View.recovered", "View.state", "View.stats"),
    "View.to_frame",
}
# These wait for programs, files and sockets of this machine, never for a distant Kafka.
THIS_MACHINE = {
    *("Endpoint", "Endpoint.__enter__", "Endpoint.__exit__", "Endpoint.port"),
    *(
        "Endpoint.proxied",
        "Endpoint.start",
        "Endpoint.stop",
        "Endpoint.url",
        "broker.fetch",
        "broker.home",
        "broker.logs",
    ),
    *(
        "broker.release",
        "broker.serve",
        "broker.start",
        "broker.status",
        "broker.stop",
        "broker.use",
    ),
    "broker.wipe",
}
# No member of these waits for anything.
VALUES = {"Acknowledged", "Brokers", "Bytes", "Cluster", "Codec", "Context", "Copies", "clicks"}
VALUES |= {"EmitterStats", "Graph", "Group", "GroupMember", "Input", "Int64", "Json", "LogRecord"}
VALUES |= {"PartitionLog", "Persist", "Progress", "State", "Stats", "String", "Tester", "Topic"}
VALUES |= {"ViewStats", "define_group", "group_table", "partition_of"}


def public_calls() -> Iterator[str]:
    for name in set(clicklib.__all__) - VALUES:
        value = getattr(clicklib, name)
        if isinstance(value, ModuleType):
            yield from (f"{name}.{each}" for each in value.__all__ if each != "Status")
        elif not issubclass(value, Exception):
            yield name
            own = {each for kind in value.__mro__[:-1] for each in vars(kind)}
            marked = {"__enter__", "__exit__", "__len__", "__contains__"}
            yield from (f"{name}.{each}" for each in own if each[0] != "_" or each in marked)


def test_each_public_call_says_whether_it_waits() -> None:
    listed = [*(CALLS | CONNECT), *AT_ONCE, *THIS_MACHINE]
    assert sorted(public_calls()) == sorted(listed)
    assert set(LONGER) <= set(CALLS)


def made_at_once(stage: Stage, calls: dict[str, tuple[Any, Call, str]]) -> list[str]:
    """Make all calls side by side; returns what is wrong with the time or the error of each."""
    wrong: list[str] = []

    def attempt(name: str) -> None:
        subject, call, words = calls[name]
        begun = time.monotonic()
        try:
            call(stage, subject)
            outcome = None
        except (ClicklibError, TimeoutError) as exc:
            outcome = str(exc)
            if not (words and re.search(words, outcome)):
                wrong.append(f"{name} says: {outcome}")
        except BaseException as exc:
            wrong.append(f"{name} raised {exc!r}")
        seconds = time.monotonic() - begun
        if seconds > LONGER.get(name, LIMIT) + SLACK:
            wrong.append(f"{name} took {seconds:.1f} s: {outcome}")

    threads = [threading.Thread(target=attempt, args=(name,), name=name) for name in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return [*wrong, *(f"{t.name} never ended" for t in threads if t.is_alive())]


@pytest.mark.parametrize("silent", [False, True], ids=["nothing listens", "a silent socket"])
def test_where_no_broker_is_the_address_and_the_limit_are_told_in_time(silent: bool) -> None:
    words = "no broker answers at 127.0.0.1:[0-9]+ within 1.5 s"
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        if not silent:
            listener.close()
        stage = Stage(address, clicks.graph(), stack)
        patient = stage.patient()
        assert made_at_once(stage, {n: (None, call, words) for n, call in CONNECT.items()}) == []
        assert {each.state for each in patient} == {"starting"}
        assert stopped_late(patient) == []


FAULTS: dict[str, Callable[[Proxy], None]] = {
    "cut off": Proxy.refuse,
    "hanging": Proxy.freeze,
    "slow": lambda proxy: setattr(proxy, "delay", ANSWER / 2),
}


@cases("fault", ["hanging", "slow"], ["cut off"])
def test_where_a_broker_stops_answering_each_call_keeps_its_limit(cluster, graph, fault) -> None:
    [proxy] = proxies(cluster)
    with TopicManager(cluster) as topics:
        topics.ensure_table(graph.table)
        topics.ensure_stream(f"{graph.topics[0]}-spare", 1)
    with ExitStack() as stack:
        stack.callback(proxy.close)
        stage = Stage(proxy.address, graph, stack)
        ready = {
            name: (keep_trying(lambda make=make: make(stage), 30), call, words)
            for name, (make, call, words) in CALLS.items()
        }
        stack.callback(proxy.heal)
        FAULTS[fault](proxy)
        patient = stage.patient() if fault != "slow" else []
        assert made_at_once(stage, ready) == []
        assert stopped_late(patient) == []
        wait_until("closed emitters gave up", lambda: all(each.done() for each in stage.closed))
        assert len(stage.closed) == 2


def test_one_whose_broker_hangs_as_it_gets_its_partitions_stops_soon(cluster, graph) -> None:
    [proxy] = proxies(cluster)
    with ExitStack() as stack:
        stack.callback(proxy.close)
        stage, asks = Stage(proxy.address, graph, stack), threading.Event()

        def hang(partitions: object) -> None:  # the next step is to ask for its offsets
            proxy.freeze()
            asks.set()

        processor = stage.processor(patience=60, on_rebalance=hang).start()
        assert asks.wait(60)
        assert stopped_late([processor], 6) == []  # it tries to leave the group, 2 s
