"""The pad: its buttons, automatic clicks and figures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import ipywidgets

from clicklib.errors import DeliveryError, UsageError
from clicklib.widgets import ClickPad
from tests.unit.widgets.fakes import FakeEmitter
from tests.waiting import wait_until


def wait_stats(pad: ClickPad, *wanted: int) -> None:
    wait_until(
        f"the pad has {wanted} sent, acknowledged, failed",
        lambda: (pad.stats().sent, pad.stats().acknowledged, pad.stats().failed) == wanted,
    )


def press(pad: ClickPad, text: str) -> None:
    def buttons(box: Any) -> Iterator[Any]:
        for child in getattr(box, "children", ()):
            if isinstance(child, ipywidgets.Button):
                yield child
            yield from buttons(child)

    next(each for each in buttons(pad) if each.description == text).click()


def test_buttons_emit() -> None:
    emitter: Any = FakeEmitter()
    pad = ClickPad(emitter, users=3)
    press(pad, "user-1")
    press(pad, "Click everyone")
    wait_stats(pad, 4, 4, 0)
    assert emitter.keys == ["user-1", "user-0", "user-1", "user-2"]
    pad.picture.paint()
    assert pad.picture.data == {"text": "Sent 4 · acknowledged 4 · failed 0", "error": ""}


def test_a_press_does_not_wait_for_kafka() -> None:
    emitter: Any = FakeEmitter()
    emitter.gate.clear()
    pad = ClickPad(emitter)
    begin = time.monotonic()
    for _ in range(20_000):
        pad.click("user-0")
    assert time.monotonic() - begin < 5
    assert "too many" in pad.stats().error
    pad.close()
    emitter.gate.set()


def test_a_failed_click_is_counted_and_shown() -> None:
    emitter: Any = FakeEmitter(keep=False)
    pad = ClickPad(emitter)
    pad.click("user-0")
    wait_stats(pad, 1, 0, 0)
    emitter.promises[0].set_exception(DeliveryError("not taken"))
    wait_stats(pad, 1, 0, 1)
    pad.start(100)
    emitter.refuses = UsageError("the emitter is closed")
    wait_until("automatic clicks end at an error", lambda: not pad.automatic)
    wait_until("it says why", lambda: pad.stats().error == "the emitter is closed")
    pad.picture.paint()
    assert pad.picture.data["error"] == "the emitter is closed"


def test_automatic_clicks_keep_their_rate_and_turn() -> None:
    emitter: Any = FakeEmitter()
    pad = ClickPad(emitter, users=3)
    press(pad, "Start")
    pad.start(200)
    wait_until("clicks come", lambda: len(emitter.keys) > 3)
    begin, before = time.monotonic(), len(emitter.keys)
    wait_until("a second has passed", lambda: time.monotonic() - begin > 1)
    clicks_a_second = (len(emitter.keys) - before) / (time.monotonic() - begin)
    assert clicks_a_second < 220
    wait_until("the button says so", lambda: pad._toggle.description == "Stop")
    press(pad, "Stop")
    wait_until("the button says so", lambda: pad._toggle.description == "Start")
    assert not pad.automatic
    assert emitter.keys[:4] == ["user-0", "user-1", "user-2", "user-0"]


def test_many_users_have_few_buttons() -> None:
    pad = ClickPad(FakeEmitter(), users=1_000)  # type: ignore[arg-type]
    assert len(pad.children[0].children) == 50
    pad.click_everyone()
    wait_stats(pad, 1_000, 1_000, 0)
