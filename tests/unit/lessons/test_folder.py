"""The folders that a lesson gives to a notebook."""

from __future__ import annotations

import pytest

pytest.importorskip("ipywidgets")

from clicklib.lessons import Lesson


def test_a_folder_is_empty_and_new_and_goes_with_its_lesson() -> None:
    lesson = Lesson("03")
    one, other = lesson.folder(), lesson.folder()
    assert one != other
    assert list(one.iterdir()) == list(other.iterdir()) == []
    (one / "row").write_text("1", "utf-8")
    Lesson("03")
    del lesson
    assert not one.exists()
    assert not other.exists()
