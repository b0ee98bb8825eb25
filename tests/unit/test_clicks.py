"""The example, run by the tester: the processor's own rules, no Kafka."""

from __future__ import annotations

import inspect
import io
import os
import subprocess
import sys
from collections import Counter
from contextlib import redirect_stdout
from threading import Event
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clicklib import clicks
from clicklib.clicks import GROUP, PARTITIONS, TABLE, TOPIC, User, UserCodec
from clicklib.client.cluster import Cluster
from clicklib.errors import CodecError, UnavailableError
from clicklib.tester import Tester

NOWHERE = Cluster(("127.0.0.1:1",))


def test_the_names_are_gokas() -> None:
    assert (TOPIC, GROUP, TABLE, PARTITIONS) == (
        "user-clicks",
        "mini-group",
        "mini-group-table",
        10,
    )
    assert clicks.graph().topics == (TOPIC,)
    assert clicks.graph().table == TABLE


@pytest.mark.parametrize(
    "command",
    [
        ["-c", "from clicklib.clicks import TOPIC, GROUP; print(f'{TOPIC}; {GROUP}')"],
        ["-m", "clicklib", "demo", "--help"],
    ],
    ids=["clicks", "command line"],
)
def test_the_names_begin_with_a_readers_prefix(command: list[str]) -> None:
    environment = {**os.environ, "CLICKLIB_PREFIX": "ann-"}
    done = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, check=True
    )
    printed = "".join(done.stdout.split())  # the help may break a line at a hyphen
    assert f"ann-{TOPIC}" in printed
    assert f"ann-{GROUP}" in printed


def test_the_example_fits_on_a_page() -> None:
    assert len(inspect.getsource(clicks).splitlines()) <= 100


def test_a_user_is_gokas_json() -> None:
    assert UserCodec().encode(User(153)) == b'{"Clicks":153}'
    assert UserCodec().decode(b'{"Clicks":153}') == User(153)
    assert UserCodec().decode(b' {"Name": "x", "Clicks": 1}\n') == User(1)


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_a_user_comes_back_from_its_bytes(number: int) -> None:
    assert UserCodec().decode(UserCodec().encode(User(number))) == User(number)


@pytest.mark.parametrize(
    "data", [b"", b"2026-11-24", b"7", b"[]", b"null", b'{"Clicks":"7"}', b'{"Clicks":7', b"\xff"]
)
def test_other_bytes_are_no_user(data: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        UserCodec().decode(data)


@pytest.mark.parametrize("value", [None, 7, {"Clicks": 7}, "7"])
def test_other_values_are_no_user(value: Any) -> None:
    with pytest.raises(TypeError, match="expected a User"):
        UserCodec().encode(value)


def test_a_click_is_counted_and_printed(capsys: pytest.CaptureFixture[str]) -> None:
    tester = Tester(clicks.graph())
    tester.set_table_value("user-0", User(22))
    tester.consume(TOPIC, "user-0", "2026-11-24T23:00:00+00:00")
    assert tester.table_value("user-0") == User(23)
    assert capsys.readouterr().out == (
        "[proc] key: user-0 clicks: 23, msg: 2026-11-24T23:00:00+00:00\n"
    )


def test_the_quiet_variant_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    tester = Tester(clicks.graph(clicks.count, "g", "t"))
    tester.consume("t", "user-0", "now", times=3)
    assert tester.table() == {"user-0": User(3)}
    assert capsys.readouterr().out == ""


@given(st.lists(st.sampled_from([f"user-{i}" for i in range(10)] + ["", "ü", "\udcff", "\0"])))
def test_each_user_gets_its_own_clicks(keys: list[str]) -> None:
    tester = Tester(clicks.graph())
    with redirect_stdout(io.StringIO()):
        for key in keys:
            tester.consume(TOPIC, key, "now")
    assert {key: user.clicks for key, user in tester.table().items()} == Counter(keys)


def test_a_message_that_is_no_text_is_named() -> None:
    with pytest.raises(CodecError) as caught:
        Tester(clicks.graph()).consume_bytes(TOPIC, "user-3", b"\xff")
    assert (caught.value.topic, caught.value.key) == (TOPIC, "user-3")


class Part:
    """A processor or view that ends by itself after `looks` looks, or when it is stopped."""

    def __init__(self, looks: int = 0, error: Exception | None = None, stops: bool = True) -> None:
        self.looks, self.error, self.stops, self.stopped = looks, error, stops, False

    def wait(self, timeout: float | None = None) -> bool:
        self.looks -= 1
        ended = self.stopped or self.looks < 0
        if ended and self.error is not None:
            raise self.error
        return ended

    def stop(self) -> bool:
        self.stopped = self.stops
        return self.stops

    def __str__(self) -> str:
        return "<a part>"


def test_waiting_ends_with_the_part_or_its_error() -> None:
    clicks.wait(Event(), Part(looks=2))
    with pytest.raises(UnavailableError):
        clicks.wait(Event(), Part(looks=2, error=UnavailableError("gone")))


def test_waiting_ends_with_the_event_and_raises_what_the_end_brought() -> None:
    stop = Event()
    stop.set()
    part = Part(looks=1000)
    clicks.wait(stop, part)
    assert part.stopped
    with pytest.raises(UnavailableError):
        clicks.wait(stop, Part(looks=1000, error=UnavailableError("the last commit failed")))
    with pytest.raises(TimeoutError, match="<a part> did not end in 10 s"):
        clicks.wait(stop, Part(looks=1000, stops=False))


def until_stop(brokers: object, stop: Event, *_: object) -> None:
    assert stop.wait(30)


@pytest.mark.parametrize("name", ["run_view", "run_processor", "run_emitter"])
def test_the_first_that_fails_ends_the_others(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def fail(*_: object) -> None:
        raise UnavailableError(name)

    for part in ("run_view", "run_processor", "run_emitter"):
        monkeypatch.setattr(clicks, part, fail if part == name else until_stop)
    with pytest.raises(UnavailableError, match=name):
        clicks.run(NOWHERE, Event(), clicks.graph(), 10, 10, 0)


def test_an_interrupted_cell_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(futures: object) -> None:
        raise KeyboardInterrupt

    for part in ("run_view", "run_processor", "run_emitter"):
        monkeypatch.setattr(clicks, part, until_stop)
    monkeypatch.setattr(clicks, "as_completed", interrupt)
    with pytest.raises(KeyboardInterrupt):
        clicks.run(NOWHERE, Event(), clicks.graph(), 10, 10, 0)
