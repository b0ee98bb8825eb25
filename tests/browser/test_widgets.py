"""Widgets outside the dashboard, with what the first notebook does not show in them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.notebook import THEMES, Notebook, complaints, look_at, picture
from tests.browser.pictures import Pictures
from tests.support.long import cases

# Names that no other file uses: a broken message, for example, stays in its topic.
OWN = """
import os
os.environ["CLICKLIB_PREFIX"] = {prefix!r}
"""
START = """
from clicklib import Emitter, Processor, View, broker, clicks
from clicklib.codec import String
from clicklib.client.topics import TopicManager

cluster = broker.use(progress=False)
with TopicManager(cluster) as topics:
    topics.ensure_stream(clicks.TOPIC, clicks.PARTITIONS)
graph = clicks.graph(clicks.count)
processor = Processor(cluster, graph, storage="memory").start().wait_running()
view = View(cluster, graph.table, clicks.UserCodec(), storage="memory").start().wait_running()
emitter = Emitter(cluster, clicks.TOPIC, String())
"""
EACH = """
from clicklib.widgets import ClickPad, HistoryPlot, LogView, PartitionMap, TableView
import ipywidgets

with TopicManager(cluster) as topics:
    topics.ensure_table(
        "hasty", 2, configs={"segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"}
    )
    topics.ensure_stream("few", 2)
evil = "<img src=http://example.com/x onerror=alert(1)>"
log = LogView(cluster, "hasty")
few = clicks.graph(clicks.count, "few-group", "few")
members = PartitionMap(cluster, "few-group")
ipywidgets.VBox([ClickPad(emitter, users=60), members, log])
"""
WRITE = """
with Emitter(cluster, "hasty", String()) as writer:
    for i in range(40):
        writer.emit_sync("user-3", str(i))
    writer.emit_sync("user-8", None)
    writer.emit_sync(evil, evil)
"""
WIDGETS = "import ipywidgets.widgets.widget as w; print(len(w._instances))"
TICK = "with Emitter(cluster, 'hasty', String()) as writer: writer.emit_sync('user-3', 'tick')"


def test_each_alone_holds_tombstones_and_many_members(
    notebook: Notebook, write: Callable[[list[str]], str], pictures: Pictures
) -> None:
    page = notebook.page
    notebook.open(write([START, EACH, "HistoryPlot(view, processor)"]))
    notebook.run_all()
    expect(page.get_by_role("button", name="user-49")).to_be_visible()
    expect(page.get_by_role("button", name="user-50")).to_have_count(0)
    expect(page.get_by_role("slider", name="clicks a second")).to_have_count(1)
    notebook.ask(WRITE)
    notebook.ask("more = [Processor(cluster, few, storage='memory').start() for _ in range(3)]")
    expect(page.get_by_text("few-group: 3 members", exact=True)).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="idle")).to_have_count(1)
    for _ in range(60):
        notebook.ask(TICK)
        if page.locator(".clicklib .hole").count():
            break
        page.wait_for_timeout(500)
    expect(page.locator(".clicklib .hole").first).to_be_visible()
    expect(page.locator(".clicklib .dead").first).to_be_visible()
    expect(page.locator(".clicklib .log").get_by_text("<img src=").first).to_be_visible()
    assert page.locator(".clicklib img").count() == 0
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    page.get_by_role("button", name="Click everyone").click()
    for theme in THEMES if pictures.wanted else ():
        notebook.theme(theme)
        for name, place in (("each", ".clicklib"), ("history", ".clicklib-history")):
            page.locator(place).first.evaluate("each => each.scrollIntoView()")
            page.wait_for_timeout(1_500)  # so that there is something to see
            pictures.take(page, f"{name}-{theme.split()[1].lower()}")
    notebook.theme(THEMES[0])
    notebook.ask("for each in more: each.stop()")
    widgets = int(notebook.ask(WIDGETS))
    notebook.run("cell-1")
    expect(page.get_by_role("button", name="user-49")).to_be_visible()
    # The cell's id tells what to close; the reader's own VBox and its layout stay.
    assert int(notebook.ask(WIDGETS)) == widgets + 2


HISTORY = """
import threading, time
from IPython.display import display
from clicklib.widgets import HistoryPlot

plot = HistoryPlot(view, processor, height=150)

def samples(plot):
    while not plot.closed:
        emitter.emit("user-3", "now")
        plot.paint()
        time.sleep(0.1)

threading.Thread(target=samples, args=[plot], daemon=True).start()
plot
"""
RANGE = "() => document.querySelector('.js-plotly-plot')._fullLayout.xaxis.range.join()"


@pytest.mark.long
def test_the_history_is_drawn_in_each_view_and_may_be_cleared_while_samples_come(
    notebook: Notebook, write: Callable[[list[str]], str]
) -> None:
    page = notebook.page
    notebook.open(write([HISTORY, "display(plot, plot)"]))
    notebook.ask(START)
    lines = page.locator(".js-plotly-plot .scatterlayer path.js-line")
    for pause in (0, 100, 500):  # the output goes before, while, and after it is drawn
        notebook.run("cell-0")
        page.wait_for_timeout(pause)
        notebook.clear_outputs()
    notebook.run("cell-1")
    users = int(notebook.ask("print(len(list(view.items())))"))  # other tests have clicked too
    expect(lines).to_have_count(2 * min(users, 10))
    for line in lines.all():
        expect(line).not_to_have_attribute("d", line.get_attribute("d") or "")
    place = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    assert place
    page.mouse.move(place["x"] + 50, place["y"] + 20)
    page.mouse.down()
    page.mouse.move(place["x"] + 250, place["y"] + 20, steps=5)
    page.mouse.up()
    expect(page.locator(".js-plotly-plot .zoombox")).to_have_count(0)
    zoomed = page.evaluate(RANGE)
    expect(lines.first).not_to_have_attribute("d", lines.first.get_attribute("d") or "")
    assert page.evaluate(RANGE) == zoomed
    notebook.ask("plot.close()")
    expect(lines).to_have_count(0)


LEDGER = "ledger = Ledger(emitter, processor, view)\nledger"
AGAIN = """
from clicklib.client.admin import GroupAdmin
from clicklib.client.offsets import TopicPartition, committable
processor.stop()
ledger.mark("offset set back")
admin = GroupAdmin(cluster)
place = TopicPartition(clicks.TOPIC, 8)
end = admin.bounds({clicks.TOPIC: 10})[place][1]
admin._admin.alter_group_offsets(clicks.GROUP, committable({place: end - 2}))
admin.close()
processor.start()
"""


@pytest.mark.long
def test_the_ledger_says_what_became_of_all_clicks(
    notebook: Notebook, write: Callable[[list[str]], str], pictures: Pictures
) -> None:
    page = notebook.page
    notebook.open(
        write(
            [OWN.format(prefix="ledger") + START, f"from clicklib.widgets import Ledger\n{LEDGER}"]
        )
    )
    notebook.run_all()
    figures = page.locator(".clicklib .figures")
    even = page.get_by_text("No click is lost, none is counted twice", exact=True)
    expect(even).to_be_visible()
    before = int(notebook.ask("print(int(ledger.data['figures']['counted']))"))
    notebook.ask("for _ in range(3): emitter.emit_sync('user-3', 'now')")
    expect(figures).to_contain_text(f"sent3acknowledged3others{before}waiting0counted{before + 3}")
    notebook.ask(AGAIN)
    expect(page.get_by_text("Lost 0, counted twice 2", exact=True)).to_be_visible()
    expect(figures.locator(".wrong")).to_have_text("twice2")
    said = picture(notebook, "The clicks over .* s: now wrong, offset set back .* s ago")
    expect(said).to_be_visible()
    for theme in THEMES:
        notebook.theme(theme)
        page.wait_for_timeout(1_000)  # JupyterLab complains of a theme that comes too soon
        pictures.take(page, f"ledger-{theme.split()[1].lower()}")
    notebook.theme(THEMES[0])
    notebook.ask("view.stop()")
    expect(page.get_by_text("? is not known: the view is stopped", exact=True)).to_be_visible()
    expect(figures).to_contain_text("waiting?counted?lost?twice?")


DOTS = """() => {
    window.dots = 0;
    const layer = document.querySelector(".clicklib g[aria-hidden]");
    const seen = (changes) => changes.forEach((each) => { window.dots += each.addedNodes.length; });
    new MutationObserver(seen).observe(layer, { childList: true });
}"""


def test_a_click_is_a_dot_that_moves_from_part_to_part(
    notebook: Notebook, write: Callable[[list[str]], str]
) -> None:
    page = notebook.page
    flow = "from clicklib.widgets import FlowMap\nFlowMap(emitter, processor, view)"
    notebook.open(write([START, flow]))
    notebook.run_all()
    ready = picture(notebook, "The way of a click: .*processor running 0.s.*view running 0.s")
    expect(ready).to_be_visible()
    page.evaluate(DOTS)
    notebook.ask("emitter.emit_sync('user-3', 'now')")
    page.wait_for_function("() => dots >= 4")  # one on each arrow
    expect(page.locator(".clicklib .dot")).to_have_count(0)
    expect(ready).to_be_visible()
    assert page.evaluate("dots") == 4
    notebook.ask("for i in range(100): emitter.emit_sync('user-3', 'now')")
    page.wait_for_function("() => dots >= 12")
    expect(ready).to_be_visible()
    page.emulate_media(reduced_motion="reduce")
    before = page.evaluate("dots")
    notebook.ask("emitter.emit_sync('user-3', 'now')")
    moved = picture(notebook, r"The way of a click: .*view running 0\.[1-9]")
    expect(moved).to_be_visible()
    assert page.evaluate("dots") == before
    page.emulate_media(reduced_motion="no-preference")


STEPS = """
from clicklib import broker
from clicklib.lessons import StepByStep
steps = StepByStep(broker.use(progress=False), "steps")
steps
"""


@pytest.mark.long
def test_one_click_is_stepped_killed_and_lost_by_the_buttons(
    notebook: Notebook, write: Callable[[list[str]], str], pictures: Pictures
) -> None:
    page = notebook.page
    notebook.open(write([STEPS]))
    notebook.run_all()
    keys = page.get_by_role("group", name="The processor")
    line = page.get_by_role("status").filter(has_text="The ")
    figures, here = page.locator(".clicklib .figures"), page.locator(".clicklib .come")

    def press(button: str, then: str) -> None:
        keys.get_by_role("button", name=button, exact=True).press("Enter")
        expect(page.get_by_role("status").filter(has_text=then)).to_be_visible()

    expect(line.filter(has_text="waits for a click")).to_be_visible()
    expect(keys.get_by_role("button", name="Start again")).to_have_attribute(
        "aria-disabled", "true"
    )
    press("Click", "the click at offset 0")
    press("Step", "The new row is in the memory")
    press("Step", "Kafka has the row. The offset is not committed")
    expect(here).to_have_count(4)  # everywhere but in the offset
    look_at(notebook, pictures, "steps")
    press("kill -9 here", "is dead")
    press("Start again", "the click at offset 0")
    press("Run", "waits for a click")
    expect(figures).to_have_text("clicks1counted2lost0twice1")
    keys.get_by_role("combobox", name="guarantee").select_option("at_most_once")
    expect(line.filter(has_text="waits for a click")).to_be_visible()
    press("Click", "the click at offset 0")
    press("Step", "The offset is committed. The callback")
    press("kill -9 here", "is dead")
    expect(figures).to_have_text("clicks1counted0lost1twice0")
    notebook.ask("steps.close()")


TIMES = """
from clicklib import broker
from clicklib.widgets import ClickTimes
times = ClickTimes(broker.use(progress=False), "times")
times
"""


@pytest.mark.long
def test_one_click_is_timed_from_the_press_until_it_is_drawn(
    notebook: Notebook, write: Callable[[list[str]], str], pictures: Pictures
) -> None:
    page = notebook.page
    notebook.open(write([TIMES]))
    notebook.run_all()
    keys = page.get_by_role("group", name="One click, timed")
    expect(page.get_by_text("Press Click.", exact=True)).to_be_visible()
    keys.get_by_role("button", name="Click", exact=True).press("Enter")
    one = picture(
        notebook, r"Milliseconds of one click: taken up [<\d.]+, .*; drawn [\d.]+, median"
    )
    expect(one).to_be_visible()
    keys.get_by_role("button", name="Click 100 times").click()
    many = page.get_by_text("the medians are of the last 100 clicks")
    expect(many).to_be_visible()
    keys.get_by_role("combobox", name="linger").select_option("50")
    keys.get_by_role("combobox", name="guarantee of the processor").select_option("exactly_once")
    expect(page.get_by_text("Press Click.", exact=True)).to_be_visible()
    button = keys.get_by_role("button", name="Click", exact=True)
    expect(button).to_have_attribute("aria-disabled", "false")
    button.click()
    totals = page.locator(".clicklib li").filter(has_text="exactly once, linger 50 ms")
    expect(totals).to_have_count(1)
    look_at(notebook, pictures, "times")
    notebook.ask("times.close()")


EVERY = """
import inspect
import ipywidgets
from clicklib import widgets

given = {
    "emitter": emitter, "processor": processor, "view": view,
    "where": processor, "brokers": cluster, "topic": clicks.TOPIC, "name": "axe",
}

def made(kind):
    wanted = inspect.signature(kind).parameters
    return kind(**{name: each for name, each in given.items() if name in wanted})

kinds = [getattr(widgets, name) for name in widgets.__all__]
kinds = [kind for kind in kinds if issubclass(kind, ipywidgets.Widget)]
"""
# The dashboard has a HistoryPlot, of which a kernel has one.
ALONE = "ipywidgets.VBox([made(kind) for kind in kinds if kind is not widgets.Dashboard])"
TOGETHER = "made(widgets.Dashboard)"
# What is not there in a quiet lesson: a row that is chosen, a tombstone, an error.
DISTURB = """
for user in ("user-3", "user-4", "user-3"):
    emitter.emit_sync(user, "now")
with Emitter(cluster, clicks.TOPIC, String()) as writer:
    writer.emit_sync("user-5", None)
"""
FAIL = "emitter._writer.append(8, b'user-3', b'\\xff')"


@cases("theme", THEMES[:1], THEMES[1:])
def test_axe_finds_nothing_in_any_widget(
    notebook: Notebook, write: Callable[[list[str]], str], theme: str
) -> None:
    page = notebook.page
    own = OWN.format(prefix=theme.split()[1])
    notebook.open(write([own + START + EVERY, ALONE, TOGETHER]))
    notebook.theme(theme)
    notebook.run("cell-0")
    notebook.run("cell-1")
    assert notebook.errors() == {}, "`given` lacks what a new widget takes"
    notebook.ask(DISTURB)
    page.get_by_role("row").get_by_role("button", name="user-3").click(timeout=60_000)
    expect(page.get_by_text("last offset")).to_be_visible()
    expect(page.locator(".clicklib .dead").first).to_be_visible()
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    assert complaints(notebook) == []
    notebook.assert_clean()
    notebook.clear_outputs()
    notebook.run("cell-2")
    notebook.ask(FAIL)
    problem = page.get_by_role("alert").filter(has_text="partition 8")
    expect(problem.first).to_be_visible()
    assert complaints(notebook) == []
    notebook.theme(THEMES[0])
