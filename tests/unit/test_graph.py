"""A graph says at once what cannot run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from clicklib import Graph, Input, Persist, define_group, group_table
from clicklib.codec import Int64, String
from clicklib.errors import UsageError


def process(ctx: Any, msg: Any) -> None:
    pass


def clicks(topic: str = "user-clicks") -> Input:
    return Input(topic, String(), process)


def test_a_group_reads_its_inputs_and_keeps_its_table() -> None:
    graph = define_group("mini-group", clicks("b"), Persist(Int64()), clicks("a"))
    assert isinstance(graph, Graph)
    assert (graph.group, graph.table, graph.topics) == (
        "mini-group",
        "mini-group-table",
        ("b", "a"),
    )
    assert [edge.topic for edge in graph.inputs] == ["b", "a"]
    assert isinstance(graph.persist.codec, Int64)


def test_a_table_is_named_as_in_goka() -> None:
    assert group_table("mini-group") == "mini-group-table"


def test_a_graph_cannot_be_changed() -> None:
    graph = define_group("g", clicks(), Persist(Int64()))
    with pytest.raises(FrozenInstanceError):
        graph.group = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("words", "make"),
    [
        ("needs a name", lambda: define_group("", clicks(), Persist(Int64()))),
        ("at least one Input", lambda: define_group("g", Persist(Int64()))),
        ("exactly one Persist, got 0", lambda: define_group("g", clicks())),
        (
            "exactly one Persist, got 2",
            lambda: define_group("g", clicks(), Persist(Int64()), Persist(Int64())),
        ),
        ("reads a topic twice", lambda: define_group("g", clicks(), clicks(), Persist(Int64()))),
        ("its own table", lambda: define_group("g", clicks("g-table"), Persist(Int64()))),
        ("not an edge", lambda: define_group("g", clicks(), Persist(Int64()), "edge")),
        ("not a topic name", lambda: define_group("a b", clicks(), Persist(Int64()))),
        ("not a topic name", lambda: define_group("g" * 244, clicks(), Persist(Int64()))),
        ("is a class: write String()", lambda: Input("t", String, process)),
        ("is a class: write Int64()", lambda: Persist(Int64)),
        ("no method encode", lambda: Persist(object())),
        ("cannot be called", lambda: Input("t", String(), None)),
    ],
)
def test_what_cannot_run_is_refused(words: str, make: Callable[[], Any]) -> None:
    with pytest.raises(UsageError) as raised:
        make()
    assert words in str(raised.value)


@pytest.mark.parametrize(
    "topic", ["", ".", "..", "a b", "a/b", "ä", "a\n", "<b>", "x" * 250, None, 7, b"clicks"]
)
def test_a_name_that_kafka_does_not_take_is_refused(topic: Any) -> None:
    with pytest.raises(UsageError, match="not a topic name"):
        clicks(topic)


@pytest.mark.parametrize("topic", ["a", "...", "user-clicks", "A.b_C-9", "x" * 249])
def test_a_name_that_kafka_takes_is_taken(topic: str) -> None:
    assert clicks(topic).topic == topic


def test_the_longest_group_still_has_a_table() -> None:
    graph = define_group("g" * 243, clicks(), Persist(Int64()))
    assert len(graph.table) == 249
