"""Each argument of each public call is checked where it is given, and before anything is done.

The calls and their arguments are read from the signatures behind the one door. An argument whose
name has no row in `WRONG` fails the test: a new argument needs a rule in `clicklib.given` and a
row here. The calls get no connection, no thread and no initialized object, so a check that comes
too late fails as well.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import clicklib
from clicklib import UsageError, breaking, clicks, lessons, widgets
from clicklib.codec import String

# Clicklib makes their instances.
MADE = {"Context", "EmitterStats", "Graph", "Group", "GroupMember", "LogRecord", "PartitionLog"}
MADE |= {"Copies", "Progress", "State", "Stats", "Topic", "ViewStats"}
# Not calls; a codec's own arguments are the values that `test_codec` tries.
NO_CALLS = {"Acknowledged", "Brokers", "Bytes", "Codec", "Int64", "String"}
NO_CALLS |= {"clicks"}  # read as a page: it hands its arguments on
SHARED = {"rows", "watch"}  # by the widgets of a dashboard; a user gives none
VALUES = {"msg", "value", "reason", "self", "cls", "exc", "edges", "answer"}
"""Arguments that may be anything; `test_graph` tries the edges of a group."""
OF_TESTS = {f"lessons.{each}.progress" for each in ("Way", "keep_private", "share")}
# What a notebook calls of an object; the rest is called by the buttons and by other modules.
CALLED = {
    "Lesson": ("check", "name", "shared_name", "stop_button"),
    "Program": ("lines", "stop"),
    "StepByStep": ("choose",),
    "Timeline": ("pauses", "rates"),
    "Victim": ("wait_committed", "wait_frozen", "wait_running"),
    "BreakableProcessor": ("stop_for_good",),
    "BreakingPanel": ("press",),
}

TEXT = [3, b"user-3", None, "\ud800", ["a"]]
TOPIC = [3, b"clicks", None, "", "a b", "..", "x" * 250, "<b>", "clicks\n"]
WHOLE = ["3", 2.5, True, math.nan, [3]]
SECONDS = ["3", math.nan, True, [3], Decimal(3), Fraction(1, 2), np.float32(3)]
FLAG = ["no", 2, None]
WORD = ["", "Oldest", 3, None, ["oldest"]]
CALL = [3, "print", []]
CODEC = [String, object(), None, "utf-8", str]
HEADERS = [[("a", b"x")], "a", {"a": "text"}, {3: b"x"}, {"a": 3}, {"\ud800": b"x"}]
HEADERS += [{"\udc80": b"x"}]
BROKERS = [3, None, [9092], b"host:9092", ["host:9092", None], object()]

WRONG: dict[str, list[Any]] = {
    "address": TEXT,
    "addresses": BROKERS,
    "brokers": BROKERS,
    "arguments": [3, None, b"-m"],
    "before": [3, "victim", clicks],
    "buffer": [*WHOLE, 0, None],
    "callback": [*CALL, None],
    "cluster": BROKERS,
    "clusters": BROKERS,
    "codec": CODEC,
    "commit_interval": [*SECONDS, -1, None],
    "configs": [[("a", "b")], "a", {"retention.ms": 1000}, {"a": None}, {3: "a"}, {"a": True}],
    "connect_timeout": [*SECONDS, -1, math.inf, None],
    "count": [*CALL, None],
    "data": ["text", 3, bytearray(b"x")],
    "delivery_timeout": [*SECONDS, 0, math.inf, None],
    "depth": [*WHOLE, -1, None],
    "draw": FLAG,
    "emitter": [3, "user-clicks", clicks, [3]],
    "environ": [3, "a=b", [("a", "b")]],
    "fault": [*TEXT, "", "explode"],
    "frame": [3, None, "users", [1], {"user": [1]}],
    "height": [*WHOLE, 0, None],
    "freeze": FLAG,
    "graph": [None, "mini-group", clicks, clicks.graph],
    "group": [3, b"g", None, "", "\ud800"],
    "guarantee": [*WORD, "exactly-once"],
    "headers": HEADERS,
    "holds": [*CALL, None],
    "host": [3, None, b"localhost", ""],
    "inputs": ["clicks", 3, None, ["a b"], [3], []],
    "key": TEXT,
    "ledger": [3, "clicks", clicks],
    "lines": [*WHOLE, -1, None],
    "limit": [*WHOLE, 0, -1, None],
    "linger": [*SECONDS, -1, math.inf, None],
    "max_poll_interval": [*SECONDS, 0, math.inf, None],
    "message": [*CALL, None],
    "mismatch": WORD,
    "moment": SECONDS,
    "name": TOPIC,
    "names": [3, "a", ["a"], None],
    "nodes": [*WHOLE, 0, -1],
    "number": [*WHOLE, 0, -1, None],
    "pairs": [3, None, {"ab": "12:00"}],
    "on_rebalance": CALL,
    "on_update": CALL,
    "partitions": [*WHOLE, 0, -1, None, 1 << 40],
    "port": [*WHOLE, -1, 65536],
    "prefix": TEXT,
    "processor": [3, "mini-group", clicks, [clicks.graph()], {"a": 1}],
    "processors": [3, None, "mini-group", [3]],
    "progress": FLAG,
    "replication": [*WHOLE, 0, -1],
    "security": [None, "PLAIN", [("sasl_plain_password", "secret")], {3: "secret"}],
    "session_timeout": [*SECONDS, 0, 0.1, math.inf, None],
    "slow_users": ["user-3", 3, None, [3]],
    "stale": FLAG,
    "start": WORD,
    "state_dir": [3, b"/tmp", ["/tmp"]],
    "step": [*SECONDS, 0, -1],
    "stop": FLAG,
    "stream": TOPIC,
    "storage": [*WORD, "rocksdb"],
    "table": TOPIC,
    "target": [*WHOLE, -1, 9],
    "text": TEXT,
    "through": [3, [9092], b"host:9092"],
    "timeout": SECONDS,
    "times": [*WHOLE, -1, None],
    "timestamp": [*WHOLE, None],
    "topic": TOPIC,
    "topics": ["clicks", 3, None, ["a b"], [3]],
    "type": [3, "int", object()],
    "until": SECONDS,
    "users": [*WHOLE, 0, -1, None],
    "view": [None, 3, {}, "table"],
    "wanted": [*WHOLE, -1, 65536],
    "what": TEXT,
    "where": [3, print, [3], {"a": 1}],
    "window": [*SECONDS, 0, -1, math.inf, None],
    "word": TOPIC,
}
# Where a name has another rule: here its row is another one.
ELSEWHERE = {
    "partition_of.key": ["user-3", 3, None, [1], bytearray(b"x")],
    "Tester.consume.headers": [wrong for wrong in HEADERS if wrong != {"a": None}],
    "Emitter.emit.headers": [*HEADERS, {"a": None}],
    "Emitter.headers": [*HEADERS, {"a": None}],
    "Logs.timeout": [*SECONDS, -1, math.inf, None],
    "Groups.timeout": [*SECONDS, -1, math.inf, None],
    "TopicManager.timeout": [*SECONDS, -1, math.inf, None],
    "Processor.wait_running.timeout": [*SECONDS, math.inf],
    "breaking.BreakingPanel.brokers": [3, [9092], b"host:9092", "127.0.0.1:1"],
    "breaking.BreakableProcessor.callback": [*CALL, None, print],
    "lessons.StepByStep.callback": [*CALL, None, print],
    "lessons.Victim.callback": [*CALL, None, print],
    "lessons.Lesson.number": ["99", 5, None, "5", ["05"]],
    "lessons.share.name": [3, None, "", " ", "x" * 99, "a\nb"],
    "widgets.ClusterMap.group": [3, b"g", "", "\ud800"],
    "widgets.Dashboard.view": [3, {}, "table"],  # None is a TypeError
    "widgets.FlowMap.view": [3, {}, "table"],
    "widgets.Ledger.topic": [wrong for wrong in TOPIC if wrong is not None],
    "widgets.Ledger.view": [3, {}, "table"],
    "widgets.PartitionMap.group": [3, b"g", "", "\ud800"],
}
BLAMED = {"cluster": "brokers", "clusters": "brokers"}  # the word for both
RIGHT: dict[str, Any] = {
    "address": "127.0.0.1:1",
    "addresses": "127.0.0.1:1",
    "brokers": "127.0.0.1:1",
    "callback": print,
    "codec": String(),
    "data": b"x",
    "emitter": SimpleNamespace(emit=print, stats=print, topic="user-clicks"),
    "frame": pd.DataFrame({"user-3": ["12:00"]}),
    "graph": clicks.graph(),
    "group": "g",
    "inputs": ["a"],
    "key": "user-3",
    "msg": "12:00",
    "name": "times",
    "pairs": [("user-3", "12:00")],
    "partitions": 10,
    "table": "g-table",
    "times": 1,
    "topic": "user-clicks",
    "topics": ["a"],
    "answer": 1,
    "cluster": "127.0.0.1:1",
    "fault": "stop",
    "guarantee": "at_least_once",
    "holds": list,
    "moment": 1.0,
    "names": {0: "a"},
    "number": 1,
    "processors": [],
    "stream": "user-clicks",
    "until": 2.0,
    "value": 1,
    "wanted": 0,
    "what": "it is there",
    "word": "clicks",
    "view": clicklib.View("127.0.0.1:1", "t", String(), storage="memory"),
    "where": "127.0.0.1:1",
}


@pytest.fixture(autouse=True)
def _at_no_one_s_broker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLICKLIB_HOME", str(tmp_path))
    monkeypatch.setenv("CLICKLIB_BROKERS", "127.0.0.1:1")


def public_calls() -> Iterator[tuple[str, Callable[..., Any]]]:
    """The functions, classes and methods behind the door. A method gets an empty object."""
    for name in sorted(set(clicklib.__all__) - MADE - NO_CALLS):
        value = getattr(clicklib, name)
        if isinstance(value, ModuleType):
            names = [each for each in value.__all__ if each != "Status"]
            yield from ((f"{name}.{each}", getattr(value, each)) for each in names)
        elif not inspect.isclass(value):
            yield name, value
        elif not issubclass(value, Exception):
            yield name, value
            for method, member in inspect.getmembers(value, inspect.isroutine):
                if not method.startswith("_") or method == "__contains__":
                    of_class = inspect.ismethod(member)
                    yield f"{name}.{method}", member if of_class else getattr(empty(value), method)
    for name in sorted(set(widgets.__all__) - {"PadStats"}):
        yield f"widgets.{name}", getattr(widgets, name)
    for room, door in (("lessons", lessons), ("breaking", breaking)):
        for name in door.__all__:
            value = getattr(door, name)
            yield f"{room}.{name}", value
            for method in CALLED.get(name, ()):
                yield f"{room}.{name}.{method}", getattr(empty(value), method)


def empty(kind: type) -> Any:
    """An object that was never initialized, so that nothing but checks can be done with it."""
    thing = object.__new__(kind)
    for name in ("topic", "table"):
        if not hasattr(kind, name):
            object.__setattr__(thing, name, "a-topic")
    if kind is clicklib.Processor:
        thing.graph = clicks.graph()
    if kind is breaking.BreakingPanel:  # an object of its own kind would end its threads
        known = {"processor": {"stop": None}}
        panel = SimpleNamespace(
            closed=False, _targets=[SimpleNamespace(kind="processor")], _faults=known
        )
        return SimpleNamespace(press=partial(kind.press, panel))
    if kind is lessons.Lesson:
        thing.number = "05"
    return thing


CALLS = dict(public_calls())
ARGUMENTS = [
    (call, name)
    for call, function in CALLS.items()
    for name, parameter in inspect.signature(function).parameters.items()
    if name not in VALUES | SHARED and parameter.kind is not parameter.VAR_KEYWORD
    if f"{call}.{name}" not in OF_TESTS
]


def test_the_calls_are_those_of_the_door() -> None:
    some = "Emitter Emitter.emit View.get View.__contains__ Processor.stop broker.use Cluster.of"
    assert {*some.split(), "Tester", "define_group", "partition_of", "Input", "Json"} <= {*CALLS}


@pytest.mark.parametrize(("call", "name"), ARGUMENTS, ids=map(".".join, ARGUMENTS))
def test_a_wrong_argument_is_refused_by_its_name_before_anything_is_done(
    call: str, name: str
) -> None:
    rows = ELSEWHERE.get(f"{call}.{name}", WRONG.get(name))
    assert rows, f"{call} has an argument {name} without a rule and a row of wrong values"
    function = CALLS[call]
    needed = {
        each: b"user-3" if (call, each) == ("partition_of", "key") else RIGHT[each]
        for each, parameter in inspect.signature(function).parameters.items()
        if parameter.default is parameter.empty
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    kind = inspect.signature(function).parameters[name].kind
    several = kind is inspect.Parameter.VAR_POSITIONAL
    for wrong in rows:
        given = {} if several else {**needed, name: wrong}
        with pytest.raises(UsageError) as caught:
            pytest.fail(f"{name}={wrong!r} was taken: {function(*[wrong][:several], **given)!r}")
        text = str(caught.value)
        assert text.startswith((BLAMED.get(name, name), "Json")), text
        assert len(text) < 500
        assert "secret" not in text


def test_a_gap_is_no_text_that_could_be_written() -> None:
    with pytest.raises(UsageError, match=r"key is text, not nan \(float\)$"):
        clicklib.Tester(clicks.graph()).table_value(math.nan)  # type: ignore[arg-type]


def test_no_row_is_left_of_an_argument_that_is_gone() -> None:
    assert {name for _, name in ARGUMENTS} == set(WRONG)
    assert set(ELSEWHERE) <= {".".join(each) for each in ARGUMENTS}
