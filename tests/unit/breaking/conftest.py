"""Each test of the panel ends without any widget."""

from tests.unit.widgets.conftest import every_widget_is_closed

__all__ = ["every_widget_is_closed"]
