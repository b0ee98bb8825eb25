"""The graph of a group: the topics that it reads and the table that it keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clicklib.codec import Codec
from clicklib.errors import UsageError
from clicklib.given import check

__all__ = ["Graph", "Input", "Persist", "define_group", "group_table"]


@dataclass(frozen=True)
class Input:
    """Read `topic`, decode each message with `codec`, and call `callback(ctx, msg)`.

    The callback is a plain function. Raises UsageError for an async function or a generator
    function: a call of one does nothing.
    """

    topic: str
    codec: Codec
    callback: Callable[[Any, Any], None]

    def __post_init__(self) -> None:
        check(topic=self.topic)
        check({"topic": self.topic}, codec=self.codec, callback=self.callback)


@dataclass(frozen=True)
class Persist:
    """Keep a value for each key in the group's table, encoded with `codec`."""

    codec: Codec

    def __post_init__(self) -> None:
        check(codec=self.codec)


@dataclass(frozen=True)
class Graph:
    """The definition of a group, made by `define_group`."""

    group: str
    inputs: tuple[Input, ...]
    persist: Persist

    @property
    def table(self) -> str:
        """The topic of the group's table."""
        return group_table(self.group)

    @property
    def topics(self) -> tuple[str, ...]:
        """The input topics, in the order of their definition."""
        return tuple(edge.topic for edge in self.inputs)


def group_table(group: str) -> str:
    """The name of the topic that holds the table of `group`: `<group>-table`, as in Goka."""
    check(group=group)
    return f"{group}-table"


def define_group(group: str, *edges: Input | Persist) -> Graph:
    """Make the graph of `group` from its edges: one or more Inputs and one Persist.

    Raises UsageError for a graph that cannot run: no input, two inputs of one topic, no table or
    two tables, the group's own table as an input, a name that Kafka does not accept.
    """
    check(table=group_table(group))
    unknown = [edge for edge in edges if not isinstance(edge, (Input, Persist))]
    if unknown:
        raise UsageError(f"not an edge of a group: {unknown[0]!r}; use Input or Persist")
    inputs = tuple(edge for edge in edges if isinstance(edge, Input))
    tables = [edge for edge in edges if isinstance(edge, Persist)]
    if not inputs:
        raise UsageError(f"group {group} reads nothing: give it at least one Input")
    if len(tables) != 1:
        raise UsageError(f"group {group} needs exactly one Persist, got {len(tables)}")
    topics = [edge.topic for edge in inputs]
    for topic in topics:
        if topics.count(topic) > 1:
            raise UsageError(f"group {group} reads a topic twice: give it one Input", topic=topic)
        if topic == group_table(group):
            raise UsageError(
                f"group {group} cannot read its own table: use ctx.value()", topic=topic
            )
    return Graph(group, inputs, tables[0])
