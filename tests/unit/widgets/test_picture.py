"""A picture: when its data are sent, when it rests, what its scripts may do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import clicklib.widgets
from clicklib import clicks
from clicklib.widgets import CountsPlot
from clicklib.widgets.picture import Picture
from tests.unit.widgets.fakes import names, rows, view
from tests.waiting import wait_until

FOLDER = Path(clicklib.widgets.__file__).parent
BREAKING = FOLDER.parent / "breaking"


def test_nothing_is_sent_when_nothing_changed() -> None:
    found = {"user-0": clicks.User(clicks=1)}
    plot, sent = CountsPlot(view(), rows=rows(found)), []
    plot.observe(lambda change: sent.append(change.new["total"]), "data")
    for _ in range(3):
        plot.paint()
    found["user-0"] = clicks.User(clicks=2)
    for _ in range(3):
        plot.paint()
    assert sent == [2]


def test_a_picture_that_cannot_be_drawn_says_why() -> None:
    class Broken(Picture):
        _esm = "export default {}"

        def look(self) -> dict[str, Any]:
            raise RuntimeError("no paint")

    picture = Broken()
    wait_until("it said so", lambda: picture.data == {"error": "RuntimeError: no paint"})


def test_a_picture_rests_while_no_browser_shows_it() -> None:
    plot = CountsPlot(view(), rows=rows({}))
    for name in ("first", "second"):
        plot._heard(None, {"shown": name}, [])
    plot._heard(None, {"hidden": "first"}, [])
    assert names() == ["clicklib painter"]
    plot._heard(None, {"hidden": "second"}, [])
    wait_until("the painter has ended", lambda: names() == [])
    plot._heard(None, {"shown": "third"}, [])
    assert names() == ["clicklib painter"]
    plot.close()
    plot._heard(None, {"shown": "late"}, [])
    wait_until("the painter has ended", lambda: names() == [])


def test_the_scripts_write_text_only_as_text_and_ask_nobody() -> None:
    for path in [*FOLDER.glob("*.js"), *FOLDER.glob("*.css"), *BREAKING.glob("*.js")]:
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|eval\(|https?:|import ", text)
