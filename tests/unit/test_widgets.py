"""The widgets without Kafka and without a browser: what they draw, when, and how they end."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ipywidgets
import msgspec
import pytest
from ipywidgets.widgets import widget as registry

import clicklib.widgets
from clicklib import Emitter, Processor, View, clicks
from clicklib.client.groups import Group, GroupMember, Progress
from clicklib.client.logs import LogRecord, PartitionLog
from clicklib.errors import DeliveryError, UnavailableError, UsageError
from clicklib.widgets import (
    ClickPad,
    CountsPlot,
    Dashboard,
    FlowMap,
    LogView,
    PartitionMap,
    TableView,
    painter,
    sources,
)
from tests.waiting import wait_until

NOWHERE = "127.0.0.1:1"
FOLDER = Path(clicklib.widgets.__file__).parent


@pytest.fixture(autouse=True)
def every_widget_is_closed() -> Iterator[None]:
    """Whatever a test made goes with its layouts and styles."""
    yield
    for each in list(registry._instances.values()):
        if isinstance(each, painter.Part):
            each.close()
    assert list(registry._instances.values()) == []


class FakeEmitter:
    """Takes clicks; its promises are kept by hand, or at once."""

    topic, error, closed = "clicks", None, False

    def __init__(self, keep: bool = True) -> None:
        self.keys: list[str] = []
        self.promises: list[Future[Any]] = []
        self.keep = keep
        self.refuses: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def emit(self, key: str, msg: Any) -> Future[Any]:
        self.gate.wait()
        if self.refuses:
            raise self.refuses
        promise: Future[Any] = Future()
        self.keys.append(key)
        self.promises.append(promise)
        if self.keep:
            promise.set_result((0, 0))
        return promise


class FakeWatch:
    """A group as it is told."""

    group, topics, error = "g", ("clicks",), ""

    def __init__(self, seen: Group | None = None) -> None:
        self.seen = seen
        self.letters = {"m1": "A", "m2": "B"}

    def latest(self) -> Group | None:
        return self.seen

    def rest(self) -> None: ...

    def strips(self) -> dict[int, list[tuple[str, float, float | None]]]:
        return {0: [("A", time.monotonic() - 500, time.monotonic() - 400), ("B", 5e9, None)]}

    def colours(self) -> dict[str, tuple[str, str]]:
        return {"A": ("#000", "#fff"), "B": ("#fff", "#000")}


def group(*members: GroupMember, state: str = "Stable", lag: int = 0) -> Group:
    return Group("g", state, members, (Progress("clicks", 0, 0, lag, 0),))


def member(name: str, *partitions: int) -> GroupMember:
    return GroupMember(name, "client", "host", tuple(("clicks", p) for p in partitions))


def view() -> View:
    return View(NOWHERE, "g-table", clicks.UserCodec(), storage="memory")


def rows(found: dict[str, Any]) -> Any:
    return SimpleNamespace(read=lambda: found)


# Small rules.


def test_the_number_in_a_value_is_found() -> None:
    class Old(msgspec.Struct):
        name: str
        seen: int

    values = [7, 1.5, clicks.User(clicks=3), {"Clicks": 4}, {"clicks": 5}, Old("a", 6), "x", None]
    assert [sources.clicks_of(value) for value in values] == [7, 1.5, 3, 4, 5, 6, 0, 0]


def test_members_have_letters_without_end() -> None:
    assert [sources.letter(i) for i in (0, 25, 26, 27, 51, 52, 701, 702)] == (
        ["A", "Z", "AA", "AB", "AZ", "BA", "ZZ", "AAA"]
    )


def test_users_are_sorted_by_their_numbers() -> None:
    assert sorted(["user-10", "user-2", "a", "user-1", ""], key=sources.natural) == (
        ["", "a", "user-1", "user-2", "user-10"]
    )


def test_what_is_no_text_can_be_shown() -> None:
    shown = sources.readable(b"a\xff\xfe".decode("utf-8", "surrogateescape"))
    assert shown == "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"
    assert sources.readable("é" * 300, 10) == "é" * 10 + "…"


def test_a_rate_is_of_the_last_seconds_and_survives_a_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(sources.time, "monotonic", lambda: now[0])
    rate, seen = sources.Rate(span=2), []
    for second, count in enumerate([100, 110, 120, 130, 130, 130, 130, 5, 10]):
        now[0] = second
        seen.append(rate.of(count))
    assert seen[:3] == [0, 10, 10]
    assert seen[6] == 0
    assert seen[7:] == [0, 5]


def test_partitions_are_named_in_runs() -> None:
    assert clicklib.widgets.partitions._ranges([7, 0, 1, 2, 4, 2]) == "0-2, 4, 7"


# Watching Kafka from another thread.


class Client:
    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


def test_a_watch_looks_as_long_as_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_LEASE", 0.1)
    clients: list[Client] = []

    def connect() -> Client:
        clients.append(Client())
        return clients[-1]

    watch: Any = sources.Watch("watch", connect, lambda client: len(clients), every=0.01)
    for round in (1, 2):
        wait_until("it looked", lambda round=round: watch.latest() == round)
        wait_until("it ended", lambda round=round: clients[round - 1].closed)
        assert watch._thread is None
    assert len(clients) == 2


def test_a_watch_says_what_went_wrong_and_tries_again() -> None:
    clients = [Client(), Client(), Client()]
    problems: list[Exception] = [UnavailableError("no broker"), ValueError("odd")]
    left = iter(clients)

    def look(client: Client) -> str:
        if problems:
            raise problems.pop(0)
        return "seen"

    watch: Any = sources.Watch("watch", lambda: next(left), look, every=0.05)
    errors = set()

    def seen() -> bool:
        errors.add(watch.error)
        return watch.latest() == "seen"

    wait_until("it looked in spite of errors", seen, every=0.01)
    assert {"no broker", "ValueError('odd')"} <= errors
    assert watch.error == ""
    assert [client.closed for client in clients] == [True, True, False]
    watch.rest()


def test_owners_are_remembered_with_the_gap_of_a_rebalance() -> None:
    watch = sources.GroupWatch(SimpleNamespace(addresses=()), "g", ())  # type: ignore[arg-type]
    watch._note(group(member("m1", 0)), 10.0)
    watch._note(group(member("m1", 0)), 10.5)
    watch._note(group(member("m1", 0), state="PreparingRebalance"), 11.0)
    watch._note(group(member("m2", 0), member("m1")), 11.5)
    assert watch.strips() == {0: [("A", 10.0, 11.0), ("", 11.0, 11.5), ("B", 11.5, None)]}
    assert watch.letters == {"m1": "A", "m2": "B"}
    watch._note(group(member("m2", 0)), 60.0)  # nobody looked meanwhile
    assert watch.strips()[0][2:] == [("B", 11.5, 11.5), ("B", 60.0, None)]
    watch.error = "away"
    assert watch.strips()[0][-1] == ("B", 60.0, 60.0)
    watch.error = ""
    watch._note(group(member("m2", 0)), 5000.0)
    assert watch.strips() == {0: [("B", 5000.0, None)]}


def test_who_asks_for_the_same_group_shares_a_watch() -> None:
    one, other = (Processor(NOWHERE, clicks.graph(clicks.count)) for _ in range(2))
    assert sources.group_watch(one) is sources.group_watch([one, other], view=view())
    assert sources.group_watch(NOWHERE, "g") is sources.group_watch(None, view=view())
    with pytest.raises(UsageError, match="name a processor"):
        sources.group_watch(None)


def test_a_table_is_read_only_when_it_changed() -> None:
    reads, stats = [], SimpleNamespace(records_in=0)
    source: Any = SimpleNamespace(
        state=sources.State.RUNNING,
        stats=lambda: stats,
        items=lambda stale: reads.append(stale) or [("a", stats.records_in)],
    )
    table = sources.Rows(source)

    def read() -> Any:
        table._next = 0
        return table.read()

    assert [read(), read()] == [{"a": 0}, {"a": 0}]
    assert len(reads) == 1
    stats.records_in = 2
    assert read() == {"a": 2}
    source.state, stats.records_in = sources.State.STOPPED, 3
    assert read() == {"a": 2}


def burn(seconds: float) -> None:
    """Take so much of the processor's time."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


@pytest.mark.parametrize(
    ("cost", "seen"), [(time.sleep, 2), (burn, 1)], ids=["it waited", "it worked"]
)
def test_a_table_that_is_much_work_to_read_is_read_less_often(
    cost: Callable[[float], None], seen: int
) -> None:
    stats = SimpleNamespace(records_in=1)

    def items(stale: bool) -> list[tuple[str, int]]:
        cost(0.2)
        return [("a", stats.records_in)]

    source: Any = SimpleNamespace(state=sources.State.RUNNING, stats=lambda: stats, items=items)
    table = sources.Rows(source)
    table.read()
    stats.records_in = 2
    table._next -= 0.5  # this much later
    assert table.read() == {"a": seen}


# The pictures.


def test_bars_are_few_and_sum_up_the_others() -> None:
    found = {f"user-{i}": clicks.User(clicks=i) for i in range(1_000)}
    plot = CountsPlot(view(), rows=rows(found))
    plot.paint()
    assert plot.data["bars"][:2] == [["user-999", 999], ["user-998", 998]]
    assert plot.data["others"] == [991, 499_500 - sum(range(991, 1_000))]
    assert (plot.data["total"], plot.data["users"], plot.data["state"]) == (499_500, 1_000, "idle")


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


def test_the_map_has_every_member_and_forgets_what_left_its_window() -> None:
    watch = FakeWatch(group(member("m2"), member("m1", 0), lag=4))
    picture = PartitionMap(NOWHERE, "g", watch=watch)  # type: ignore[arg-type]
    data = picture.data
    assert [(m["letter"], m["partitions"]) for m in data["members"]] == [("A", "0"), ("B", "")]
    assert data["strips"] == {"0": [("B", 5e9, None)]}
    assert data["lags"] == {"0": 4}
    stamp = data["now"]
    picture.paint()
    assert picture.data["now"] == stamp
    picture._heard(None, {"shown": "x"}, [])
    picture.paint()
    assert picture.data["now"] > stamp


def test_the_log_has_records_tombstones_and_holes(monkeypatch: pytest.MonkeyPatch) -> None:
    records = (LogRecord(3, "<b>", b"\xff1", 0), LogRecord(7, "user-1", None, 0))
    logs = SimpleNamespace(newest=lambda _: [PartitionLog(0, 1, 9, 2, records)], close=lambda: None)
    monkeypatch.setattr(clicklib.widgets.log, "Logs", lambda *args, **kwargs: logs)
    picture = LogView(NOWHERE, "clicks")
    wait_until("the log was read", lambda: picture.paint() or picture.data["partitions"])
    assert picture.data["partitions"] == [
        {
            "partition": 0,
            "begin": 1,
            "end": 9,
            "entries": [
                {"hole": 1, "offset": 2, "open": True},
                {"offset": 3, "key": "<b>", "value": "\N{REPLACEMENT CHARACTER}1"},
                {"hole": 3, "offset": 4, "open": False},
                {"offset": 7, "key": "user-1", "value": None},
                {"hole": 1, "offset": 8, "open": False},
            ],
        }
    ]


def test_a_row_tells_where_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {f"user-{i}": clicks.User(clicks=i) for i in range(120)}
    logs = SimpleNamespace(last=lambda _: (8, LogRecord(41, "", b"", 0)), close=lambda: None)
    monkeypatch.setattr(clicklib.widgets.table, "Logs", lambda *args, **kwargs: logs)
    picture = TableView(view(), rows=rows(found))
    assert picture.data["rows"][:2] == [
        ["user-0", 0, '{"Clicks":0}'],
        ["user-1", 1, '{"Clicks":1}'],
    ]
    assert picture.data["more"] == 20
    picture.told({"sort": "count"})
    picture.paint()
    assert picture.data["rows"][0][:2] == ["user-119", 119]
    picture.told({"select": "user-103"})
    wait_until("it was found", lambda: picture.paint() or "offset" in picture.data["detail"])
    assert re.fullmatch(
        r"user-103: hash -?\d+, partition 8, last offset 41", picture.data["detail"]
    )
    picture.told({"select": "nobody"})
    picture.paint()
    assert picture.data["detail"] == ""


def test_the_flow_says_what_each_part_is() -> None:
    processor = Processor(NOWHERE, clicks.graph(clicks.count))
    watch = FakeWatch(None)
    emitter: Any = FakeEmitter()
    flow = FlowMap(emitter, processor, view(), watch=watch)  # type: ignore[arg-type]

    def levels() -> list[tuple[str, str]]:
        flow.paint()
        return [(node["state"], node["level"]) for node in flow.data["nodes"]]

    assert levels() == [
        ("ready", "ok"),
        ("…", "off"),
        ("idle", "off"),
        ("…", "off"),
        ("idle", "off"),
    ]
    watch.seen, emitter.closed = group(member("m1", 0), member("m2")), True
    assert levels()[:3] == [("closed", "off"), ("1 partitions", "ok"), ("2 members", "ok")]
    emitter.error, watch.error = DeliveryError("lost", topic="clicks"), "no broker"
    assert levels()[:2] == [("failed", "failed"), ("unreachable", "failed")]
    assert flow.data["error"] == "lost (topic clicks); no broker"
    flow.emitter = flow.processor = flow.view = None
    assert [level for _, level in levels()] == ["off", "failed", "ok", "failed", "off"]


def test_a_picture_that_cannot_be_drawn_says_why() -> None:
    class Broken(painter.Picture):
        _esm = "export default {}"

        def look(self) -> dict[str, Any]:
            raise RuntimeError("no paint")

    picture = Broken()
    wait_until("it said so", lambda: picture.data == {"error": "RuntimeError: no paint"})


# The pad.


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


# Their end.


def board() -> Dashboard:
    processor = Processor(NOWHERE, clicks.graph(clicks.count))
    return Dashboard(FakeEmitter(), processor, view())  # type: ignore[arg-type]


def names() -> list[str]:
    return sorted(t.name for t in threading.enumerate() if t.name.startswith("clicklib"))


def test_a_closed_dashboard_leaves_no_widget_and_no_thread() -> None:
    dashboard = board()
    assert "clicklib painter" in names()
    assert names().count("clicklib pad") == 1
    dashboard.close()
    dashboard.close()
    assert list(registry._instances.values()) == []
    wait_until("its threads have ended", lambda: names() == [])


def test_a_new_dashboard_closes_the_one_before() -> None:
    first = board()
    count = len(registry._instances)
    for _ in range(5):
        second = board()
    assert first.closed
    assert not second.closed
    assert len(registry._instances) == count


def test_a_cell_that_runs_again_closes_what_it_made(monkeypatch: pytest.MonkeyPatch) -> None:
    where = ["cell", "run 1"]
    monkeypatch.setattr(painter, "_this_cell", lambda: tuple(where))
    pads = [ClickPad(FakeEmitter()) for _ in range(2)]  # type: ignore[arg-type]
    where[:] = "other", "run 2"
    other = ClickPad(FakeEmitter())  # type: ignore[arg-type]
    assert [pad.closed for pad in pads] == [False, False]
    where[:] = "cell", "run 3"
    again = ClickPad(FakeEmitter())  # type: ignore[arg-type]
    assert [pad.closed for pad in (*pads, other, again)] == [True, True, False, False]


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


def test_pages_that_are_not_seen_rest() -> None:
    dashboard = board()
    resting = [page.resting for page in dashboard._pages[:-1]]
    assert resting == [False, True, True]
    dashboard._tabs.selected_index = 1
    assert [page.resting for page in dashboard._pages[:-1]] == [True, False, True]


def test_a_dashboard_needs_a_view() -> None:
    with pytest.raises(TypeError, match="needs a view"):
        Dashboard(FakeEmitter())  # type: ignore[arg-type]


# What the browser gets.


def test_the_scripts_write_text_only_as_text_and_ask_nobody() -> None:
    for path in [*FOLDER.glob("*.js"), *FOLDER.glob("*.css")]:
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|eval\(|https?:|import ", text)


def test_widgets_know_emitters_only_by_what_they_have() -> None:
    """FakeEmitter stands for it."""
    for name in ("emit", "error"):
        assert hasattr(Emitter, name)
