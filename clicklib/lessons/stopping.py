"""The end of a lesson: a button that stops everything that its kernel has started."""

from __future__ import annotations

import threading
from collections.abc import Callable

import ipywidgets

from clicklib import broker
from clicklib.engine.at_exit import close_all
from clicklib.errors import ClicklibError
from clicklib.given import check
from clicklib.widgets.click_pad import ClickPad
from clicklib.widgets.part import Part, rest_all
from clicklib.widgets.watch import end_watches

__all__ = ["StopButton", "stop_everything"]


def stop_everything(timeout: float = 10.0) -> None:
    """Stop all emitters, processors, views, endpoints and programs of this kernel.

    The pictures stay, as they were at the end. A second call does nothing.
    """
    check(timeout__wait=timeout)
    rest_all(ClickPad)
    close_all(timeout)
    rest_all(Part)
    end_watches(timeout)


class StopButton(Part, ipywidgets.VBox):
    """*Stop everything*: a press stops what this kernel has started, and says so.

    `afterwards` is called when everything has stopped. The local Kafka ends a minute after its
    last user, and this kernel uses it no more.
    """

    def __init__(self, afterwards: Callable[[], None]) -> None:
        self._afterwards = afterwards
        self._button = ipywidgets.Button(description="Stop everything", icon="stop")
        self._button.on_click(lambda _: self._pressed())
        self._said = ipywidgets.HTML()
        super().__init__([self._button, self._said])
        self.add_class("clicklib-stop")
        self.belong()

    def _pressed(self) -> None:
        """Stop on a thread, so that the kernel does not wait."""
        self._button.disabled = True
        self._say("Stopping …")
        threading.Thread(target=self._stop, name="clicklib stop", daemon=True).start()

    def _stop(self) -> None:
        try:
            stop_everything()
            self._afterwards()
            for nodes in (1, 3):
                broker.release(nodes)
            self._say("Everything is stopped. To go on, run the notebook from its first cell.")
        except ClicklibError as exc:
            self._say(f"Everything is stopped, but the topics could not be deleted: {exc}")
        finally:
            self._button.disabled = False

    def _say(self, text: str) -> None:
        self._said.value = f'<p role="status">{text}</p>'
