"""Each test of a widget ends without any widget."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ipywidgets.widgets import widget as registry

from clicklib.widgets.part import Part


@pytest.fixture(autouse=True)
def every_widget_is_closed() -> Iterator[None]:
    """Whatever a test made goes with its layouts and styles."""
    yield
    for each in list(registry._instances.values()):
        if isinstance(each, Part):
            each.close()
    assert list(registry._instances.values()) == []
