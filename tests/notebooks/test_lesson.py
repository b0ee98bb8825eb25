"""A lesson in a kernel: names of its own, what a second run does, and what a skipped cell says."""

from __future__ import annotations

from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.notebooks.books import errors, printed, run

START = """
from clicklib import Emitter, Processor, String, TopicManager, broker, clicks
from clicklib.lessons import Lesson, wait_until

lesson, cluster = Lesson("05"), broker.use()
with TopicManager(cluster) as topics:
    topics.ensure_stream(lesson.stream, 2)
graph = clicks.graph(clicks.count, lesson.group, lesson.stream)
processor = Processor(cluster, graph, storage="memory").start().wait_running()
emitter = Emitter(cluster, lesson.stream, String())
"""
KEEP = "first, before, sender = lesson, processor, emitter"
AGAIN = """
print(before.state, sender.closed, processor.state, emitter.closed)
print(first.stream != lesson.stream, first.group != lesson.group)
"""
SKIPPED = "print(made_in_a_skipped_cell)"
STOP = """
button = lesson.stop_button(cluster)
button.children[0].click()
wait_until("it says so", lambda: "is stopped. To go on" in button.children[1].value)
print(processor.state, emitter.closed, lesson.name("user-clicks") == lesson.stream)
with TopicManager(broker.use()) as topics:
    print([name for name in topics.names() if lesson.unique in name])
"""


@pytest.mark.timeout(120)
def test_a_second_run_stops_the_first_and_a_button_stops_all(home: Path, tmp_path: Path) -> None:
    cells = [new_code_cell(each) for each in (START, KEEP, START, AGAIN, SKIPPED, STOP)]
    book = run(new_notebook(cells=cells), tmp_path, allow_errors=True)
    *good, skipped, stopped = book.cells
    assert [errors(cell) for cell in good] == [[]] * 4
    assert printed(good[-1]) == ["stopped True running False", "True True"]
    assert [error.ename for error in errors(skipped)] == ["NameError"]
    (said,) = printed(skipped)
    assert said.startswith("`made_in_a_skipped_cell` gets its value in a cell above this one.")
    assert "Run All Above" in said
    assert printed(stopped) == ["stopped True True", "[]"]
