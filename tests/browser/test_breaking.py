"""The breaking panel: every button is pressed, its effect is seen, and it is healed."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import expect

from tests.browser.notebook import Notebook, look_at
from tests.browser.pictures import Pictures

BREAK = """
from clicklib import Emitter, Json, String, TopicManager, View, broker
from clicklib.breaking import BreakableProcessor, BreakingPanel
from clicklib.widgets import ClickPad, ClusterMap, Ledger, PartitionMap
import ipywidgets

three = broker.use(nodes=3, progress=False)
with TopicManager(three) as topics:
    topics.ensure_stream("broken", 10, replication=3)
exact = {"guarantee": "exactly_once"}
parts = [BreakableProcessor(three, "broken", "breakers", **exact) for _ in range(2)]
for part in parts:
    part.wait_running()
view = View(three, parts[0].graph.table, Json(dict), storage="memory").start().wait_running()
emitter = Emitter(three, "broken", String())
ledger = Ledger(emitter, None, view)
panel = BreakingPanel(parts, three, ledger=ledger)
"""
SHOWN = """
pad = ClickPad(emitter, users=10)
pad.start(50)
maps = PartitionMap(three, "breakers"), ClusterMap(three, "broken")
ipywidgets.VBox([panel, ledger, *maps, pad])
"""
LEAVES = {
    "Stop for 8 s": "Start again now",
    "Kill -9 for 8 s": "Start again now",
    "Suspend for 8 s": "Resume now",
    "Cut its connections for 8 s": "Connect now",
    "Freeze its connections for 8 s": "Let all pass now",
    "Fill its disk for 20 s": "Make room now",
}
SLOWS = {
    "Slow its connections for 10 s": "Full speed now",
    "Delay its connections for 10 s": "No delay now",
    "Slow its callback for 10 s": "Full speed now",
}
BROKERS = {"Suspend the broker for 6 s": "Resume now", "Kill the broker for 6 s": "Start again now"}
LEFT = """
import psutil, threading
print(sorted(t.name for t in threading.enumerate() if "breaks" in t.name or "proxy" in t.name))
print([p.name() for p in psutil.Process().children() if "freezing" in " ".join(p.cmdline())])
"""


ONE = """
from clicklib import TopicManager, broker
from clicklib.breaking import BreakableProcessor, BreakingPanel

cluster = broker.use(progress=False)
with TopicManager(cluster) as topics:
    topics.ensure_stream("pressed", 2)
part = BreakableProcessor(cluster, "pressed", "pressers").wait_running()
panel = BreakingPanel(part)
panel
"""


def test_a_press_suspends_a_processor_and_another_resumes_it(
    notebook: Notebook, write: Callable[[list[str]], str]
) -> None:
    notebook.open(write([ONE]))
    notebook.run_all(60)
    place = notebook.page.get_by_role("region", name="break a processor")
    place.get_by_role("button", name="Suspend for 8 s").press("Enter")
    place.get_by_role("button", name="Resume now").press("Enter", timeout=8_000)
    healed = notebook.page.get_by_text("processor 1 was suspended, and is healed", exact=True)
    expect(healed).to_be_visible()
    assert notebook.ask("print(part.state)") == "runs"
    notebook.ask("panel.close()\npart.stop_for_good()")


@pytest.mark.long
def test_every_button_of_the_breaking_panel_breaks_and_heals(
    notebook: Notebook, write: Callable[[list[str]], str], pictures: Pictures
) -> None:
    page = notebook.page
    notebook.open(write([BREAK, SHOWN]))
    notebook.run_all(120)
    both = page.get_by_text("breakers: 2 members", exact=True)
    alone = page.get_by_text("breakers: 1 member", exact=True)
    figures = page.locator(".clicklib .figures")

    def press(name: str, section: str = "break a processor") -> None:
        place = page.get_by_role("region", name=section)
        button = place.get_by_role("button", name=name, exact=True)
        expect(button).to_have_attribute("aria-disabled", "false")
        button.focus()
        page.keyboard.press("Enter")

    undone = []

    def undo_now(name: str, section: str = "break a processor") -> None:
        """Press the undo, unless the fault has ended by itself before."""
        button = page.get_by_role("region", name=section).get_by_role("button", name=name)
        with suppress(PlaywrightError):
            button.press("Enter", timeout=1_000)
            undone.append(name)

    expect(both).to_be_visible()
    for number, (name, undo) in enumerate(LEAVES.items()):
        chosen = f"processor {1 + number % 2}"
        page.get_by_label("which processor").select_option(chosen)
        press(name)
        expect(alone).to_be_visible()
        undo_now(undo)
        expect(both).to_be_visible()
    for name, undo in SLOWS.items():
        press(name)
        expect(figures).to_contain_text(re.compile("waiting[1-9]"))
        undo_now(undo)
    look_at(notebook, pictures, "breaking")
    page.get_by_label("which broker").select_option("broker 2")
    for name, undo in BROKERS.items():
        press(name, "break a broker")
        expect(page.get_by_text(re.compile("copies are not in step")).first).to_be_visible()
        undo_now(undo, "break a broker")
        well = page.get_by_text("All brokers are alive; all copies are in step", exact=True)
        expect(well).to_be_visible()
    marks = notebook.ask("print(len({text for _, text in ledger.data['marks']}))")
    assert int(marks) >= 2  # the strip shows the last two minutes, in which a busy machine did few
    assert len(undone) >= 5
    notebook.ask("pad.stop()")
    even = page.get_by_text("No click is lost, none is counted twice", exact=True)
    expect(even).to_be_visible()
    expect(figures).to_contain_text("waiting0")
    notebook.ask("panel.close()\nfor part in parts: part.stop_for_good()")
    assert notebook.ask(LEFT).split() == ["[]", "[]"]
