"""A cell that was edited and run again: its earlier processor still runs, and this is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from clicklib import Input, Int64, Persist, Processor, String, define_group
from clicklib.given import same_definition

CELL = """
from functools import partial

def process(ctx, msg):
    pass

def make(n):
    return lambda ctx, msg: n

class Calls:
    def __call__(self, ctx, msg):
        pass
    def method(self, ctx, msg):
        pass
"""

MADE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a function": lambda cell: cell["process"],
    "a closure": lambda cell: cell["make"](1),
    "a partial": lambda cell: partial(cell["process"]),
    "an object": lambda cell: cell["Calls"](),
    "a method": lambda cell: cell["Calls"]().method,
}


def run_cell() -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(CELL, "cell", "exec"), names)
    return names


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Processor]]:
    """Start processors that ask no broker and only wait for their end."""
    monkeypatch.setattr(Processor, "_main", lambda self: self._life.wait_stopping(60))
    started: list[Processor] = []

    def start(callback: Any, group: str = "g", port: int = 1) -> Processor:
        graph = define_group(group, Input("clicks", String(), callback), Persist(Int64()))
        processor = Processor(f"127.0.0.1:{port}", graph, storage="memory")
        started.append(processor.start())
        return processor

    yield start
    for processor in started:
        processor.stop()


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_what_one_run_of_a_cell_made_is_the_same_and_what_two_made_is_not(
    make: Callable[[dict[str, Any]], Any],
) -> None:
    first, second = run_cell(), run_cell()
    assert same_definition(make(first), make(first))
    assert not same_definition(make(first), make(second))


def test_a_cell_that_is_run_again_warns_and_says_how_to_stop_the_first(start, caplog) -> None:
    first = start(run_cell()["process"])
    assert caplog.text == ""
    second = start(run_cell()["process"])
    [warning] = [record.getMessage() for record in caplog.records if record.name == "clicklib"]
    assert "group g" in warning
    assert "stop_others()" in warning
    assert second.stop_others()
    assert (first.state, second.state) == ("stopped", "starting")
    caplog.clear()
    second.stop()
    start(run_cell()["process"])
    assert "stop_others" not in caplog.text


def test_several_of_one_definition_other_groups_and_other_clusters_are_no_news(
    start, caplog
) -> None:
    cell = run_cell()
    for _ in range(3):
        start(cell["process"])
    start(cell["make"](1), group="h")
    start(cell["make"](2), group="h")
    start(run_cell()["process"], group="i")
    start(run_cell()["process"], port=2)
    assert "stop_others" not in caplog.text
