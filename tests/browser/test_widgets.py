"""The dashboard as a reader meets it: pressed, watched, stopped, restarted, run again."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Notebook

START = """
from clicklib import Emitter, Processor, View, broker, clicks
from clicklib.codec import String
from clicklib.topics import TopicManager
from clicklib.widgets import Dashboard

cluster = broker.use(progress=False)
with TopicManager(cluster) as topics:
    topics.ensure_stream(clicks.TOPIC, clicks.PARTITIONS)
graph = clicks.graph(clicks.count)
processor = Processor(cluster, graph, storage="memory").start().wait_running()
view = View(cluster, graph.table, clicks.UserCodec(), storage="memory").start().wait_running()
emitter = Emitter(cluster, clicks.TOPIC, String())
"""
SHOW = """
dashboard = Dashboard(emitter, processor, view)
dashboard
"""
SIZES = (
    "import gc, threading, ipywidgets.widgets.widget as w; gc.collect(); "
    "print(threading.active_count(), len(w._instances))"
)
MEMORY = "import psutil; print(psutil.Process().memory_info().rss >> 20)"
THEMES = ("JupyterLab Light", "JupyterLab Dark")


def total(notebook: Notebook) -> int:
    """The total that the counts say."""
    text = notebook.page.get_by_role("status").filter(has_text="Clicks:").inner_text()
    found = re.search(r"Clicks: ([\d,]+)", text)
    assert found, text
    return int(found[1].replace(",", ""))


def wait_total(notebook: Notebook, wanted: int, timeout: float = 2_000) -> None:
    line = notebook.page.get_by_role("status").filter(has_text=f"Clicks: {wanted:,} ")
    expect(line).to_be_visible(timeout=timeout)


def picture(notebook: Notebook, label: str) -> Locator:
    """A picture by the beginning of what a screen reader says of it."""
    return notebook.page.get_by_role("img", name=re.compile(f"^{label}"))


def wait_ready(notebook: Notebook) -> None:
    expect(notebook.page.locator(".clicklib-dashboard")).to_have_count(1, timeout=60_000)
    button = notebook.page.get_by_role("button", name="user-3")
    expect(button.first).to_be_visible(timeout=60_000)
    owners = picture(notebook, "Owners of the partitions: [A-Z] 0-9;")
    expect(owners).to_be_visible(timeout=20_000)


@pytest.fixture
def dashboard(notebook: Notebook, write: Callable[[list[str]], str]) -> Notebook:
    """A notebook that shows the dashboard."""
    notebook.open(write([START, SHOW]))
    notebook.run_all()
    wait_ready(notebook)
    return notebook


def test_a_press_is_seen_within_two_seconds_by_mouse_and_keyboard(dashboard: Notebook) -> None:
    button = dashboard.page.get_by_role("button", name="user-3").first
    before = total(dashboard)
    button.click()
    wait_total(dashboard, before + 1)
    expect(picture(dashboard, "Clicks: .*user-3 [1-9]")).to_be_visible()
    for presses, key in enumerate(("Enter", "Space"), start=2):
        button.focus()
        dashboard.page.keyboard.press(key)
        wait_total(dashboard, before + presses)
    expect(dashboard.page.get_by_text("Sent 3 · acknowledged 3 · failed 0")).to_be_visible()


def test_automatic_clicks_begin_and_end(dashboard: Notebook) -> None:
    page = dashboard.page
    before = total(dashboard)
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    page.wait_for_timeout(3_000)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible()
    page.wait_for_timeout(1_500)
    after = total(dashboard)
    assert before + 20 <= after <= before + 50
    page.wait_for_timeout(1_000)
    assert total(dashboard) == after


def test_a_stopped_a_new_and_a_failed_processor_are_seen(
    dashboard: Notebook, pictures: Path
) -> None:
    flow, page = "The way of a click: .*processor ", dashboard.page
    dashboard.command("application:toggle-left-area")
    dashboard.ask("processor.stop()")
    expect(picture(dashboard, f"{flow}stopped")).to_be_visible(timeout=5_000)
    expect(picture(dashboard, "Owners of the partitions: nobody")).to_be_visible()
    before = total(dashboard)
    page.get_by_role("button", name="user-3").first.click()
    expect(picture(dashboard, "Owners of the partitions: nobody; lag 1")).to_be_visible()
    assert total(dashboard) == before

    dashboard.ask("processor.start().wait_running()")
    wait_total(dashboard, before + 1, 5_000)
    expect(picture(dashboard, f"{flow}running")).to_be_visible()
    dashboard.ask("other = Processor(cluster, graph, storage='memory').start().wait_running()")
    shared = picture(dashboard, "Owners of the partitions: [A-Z] 0-4; [A-Z] 5-9")
    swapped = picture(dashboard, "Owners of the partitions: [A-Z] 5-9; [A-Z] 0-4")
    expect(shared.or_(swapped)).to_be_visible(timeout=10_000)
    page.wait_for_timeout(4_000)
    dashboard.ask("other.stop()")

    dashboard.ask("emitter._writer.send(clicks.TOPIC, b'\\xff', b'user-3', [], 8)")
    expect(picture(dashboard, f"{flow}failed")).to_be_visible(timeout=10_000)
    problem = page.get_by_role("alert").filter(has_text="partition 8")
    expect(problem).to_be_visible()
    page.locator(".clicklib-dashboard").evaluate("each => each.scrollIntoView()")
    page.screenshot(path=pictures / "failed.png")
    # Leave the group behind the message, for the tests that come.
    dashboard.ask("""
from clicklib._kafka import GroupAdmin, TopicPartition
from kafka.structs import OffsetAndMetadata
admin = GroupAdmin(cluster)
place = TopicPartition(clicks.TOPIC, 8)
end = admin.bounds({clicks.TOPIC: 10})[place][1]
admin._admin.alter_group_offsets(clicks.GROUP, {place: OffsetAndMetadata(end, "", -1)})
admin.close()
""")
    dashboard.ask("processor.start().wait_running()")
    expect(picture(dashboard, f"{flow}running")).to_be_visible(timeout=10_000)
    expect(problem).to_be_hidden()


def test_after_a_restart_of_the_kernel_all_runs_again(dashboard: Notebook) -> None:
    before = total(dashboard)
    for _ in range(2):
        dashboard.restart()
        dashboard.run_all()
        expect(picture(dashboard, "Owners of the partitions: A 0-9;")).to_be_visible(timeout=60_000)
        wait_total(dashboard, before, 10_000)
        dashboard.page.get_by_role("button", name="user-3").first.click()
        before += 1
        wait_total(dashboard, before)


def test_running_the_cell_ten_times_leaves_nothing_behind(dashboard: Notebook) -> None:
    page = dashboard.page
    page.wait_for_timeout(2_000)
    threads, widgets = map(int, dashboard.ask(SIZES).split())
    for _ in range(3):
        dashboard.run_cell(1)
    wait_ready(dashboard)
    page.wait_for_timeout(2_000)
    memory = int(dashboard.ask(MEMORY))
    for _ in range(7):
        dashboard.run_cell(1)
    wait_ready(dashboard)
    before = total(dashboard)
    page.get_by_role("button", name="user-3").first.click()
    wait_total(dashboard, before + 1)
    page.wait_for_timeout(4_000)  # until the threads that watch Kafka have ended
    threads_now, widgets_now = map(int, dashboard.ask(SIZES).split())
    assert threads_now <= threads
    assert widgets_now == widgets
    assert page.locator(".clicklib-dashboard").count() == 1
    dashboard.ask("dashboard.close(); dashboard.close()")
    expect(page.locator(".clicklib")).to_have_count(0)
    assert dashboard.ask("print(len(w._instances))") == "0"
    assert int(dashboard.ask(MEMORY)) - memory < 10


def test_it_rests_while_its_output_is_gone(dashboard: Notebook) -> None:
    names = "import threading; print(sorted(t.name for t in threading.enumerate()))"
    assert "clicklib painter" in dashboard.ask(names)
    dashboard.command("notebook:clear-all-cell-outputs")
    dashboard.page.wait_for_timeout(6_000)
    left = dashboard.ask(names)
    assert "painter" not in left
    assert "watches" not in left
    dashboard.run_cell(1)
    wait_ready(dashboard)


def test_a_small_window_holds_all_of_it_in_both_themes(dashboard: Notebook, pictures: Path) -> None:
    page = dashboard.page
    dashboard.command("application:toggle-left-area")
    before = total(dashboard)
    page.get_by_role("button", name="Click everyone").click()
    wait_total(dashboard, before + 10)
    dashboard.ask("dashboard.pad.start(40)")
    board = page.locator(".clicklib-dashboard")
    board.evaluate("each => each.scrollIntoView()")
    for theme in THEMES:
        dashboard.theme(theme)
        for tab in ("Table", "Log of clicks", "Log of table", "History"):
            page.get_by_role("tab", name=tab, exact=True).click()
            if tab == "History":
                plot = page.locator(".js-plotly-plot .main-svg").first
                expect(plot).to_be_visible(timeout=60_000)
            elif tab == "Table":
                page.get_by_role("row").get_by_role("button", name="user-7").click()
                expect(page.get_by_text("last offset")).to_be_visible()
            page.wait_for_timeout(2_500)
            name = f"dashboard {theme.split()[1]} {tab}".lower().replace(" ", "-")
            page.screenshot(path=pictures / f"{name}.png")
            box = board.bounding_box()
            assert box is not None
            assert box["height"] <= 600
            assert_inside(board, box)
    dashboard.theme(THEMES[0])


def assert_inside(board: Locator, box: dict[str, float]) -> None:
    """No picture is wider than the dashboard."""
    for each in board.locator(".clicklib, .js-plotly-plot").all():
        part = each.bounding_box()
        if part is not None:
            assert part["x"] + part["width"] <= box["x"] + box["width"] + 1


EACH = """
from clicklib.widgets import ClickPad, HistoryPlot, LogView, PartitionMap, TableView
import ipywidgets

with TopicManager(cluster) as topics:
    topics.ensure_table(
        "hasty", 2, configs={"segment.ms": "100", "min.cleanable.dirty.ratio": "0.01"}
    )
evil = "<img src=http://example.com/x onerror=alert(1)>"
log = LogView(cluster, "hasty")
members = PartitionMap(processor)
ipywidgets.VBox([ClickPad(emitter, users=60), members, log])
"""
WRITE = """
with Emitter(cluster, "hasty", String()) as writer:
    for i in range(40):
        writer.emit_sync("user-3", str(i))
    writer.emit_sync("user-8", None)
    writer.emit_sync(evil, evil)
"""
TICK = "with Emitter(cluster, 'hasty', String()) as writer: writer.emit_sync('user-3', 'tick')"


def test_each_alone_holds_tombstones_and_many_members(
    notebook: Notebook, write: Callable[[list[str]], str], pictures: Path
) -> None:
    page = notebook.page
    notebook.open(write([START, EACH, "HistoryPlot(view, processor)"]))
    notebook.command("application:toggle-left-area")
    notebook.run_all()
    expect(page.get_by_role("button", name="user-49")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("button", name="user-50")).to_have_count(0)
    notebook.ask(WRITE)
    notebook.ask("more = [Processor(cluster, graph, storage='memory').start() for _ in range(10)]")
    expect(page.get_by_text("mini-group: 11 members", exact=True)).to_be_visible(timeout=40_000)
    expect(page.get_by_role("listitem").filter(has_text="idle")).to_have_count(1, timeout=20_000)
    for _ in range(60):
        notebook.ask(TICK)
        if page.locator(".clicklib .hole").count():
            break
        page.wait_for_timeout(500)
    expect(page.locator(".clicklib .hole").first).to_be_visible()
    expect(page.locator(".clicklib .dead").first).to_be_visible()
    expect(page.locator(".clicklib .log").get_by_text("<img src=").first).to_be_visible()
    assert page.locator(".clicklib img").count() == 0
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Click everyone").click()
    page.wait_for_timeout(3_000)
    for theme in THEMES:
        notebook.theme(theme)
        for name, place in (("each", ".clicklib"), ("history", ".clicklib-history")):
            page.locator(place).first.evaluate("each => each.scrollIntoView()")
            page.wait_for_timeout(1_500)
            page.screenshot(path=pictures / f"{name}-{theme.split()[1].lower()}.png")
    notebook.theme(THEMES[0])
    notebook.ask("for each in more: each.stop()")
    widgets = int(notebook.ask(SIZES).split()[1])
    notebook.run_cell(1)
    expect(page.get_by_role("button", name="user-49")).to_be_visible()
    # The cell's id tells what to close; the reader's own VBox and its layout stay.
    assert int(notebook.ask(SIZES).split()[1]) == widgets + 2
