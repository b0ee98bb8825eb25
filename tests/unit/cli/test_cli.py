"""The command line: its arguments, its errors, its signals; without Kafka."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

import clicklib
from clicklib import broker, clicks
from clicklib.cli import commands as cli
from clicklib.cli import terminal
from clicklib.client.cluster import Cluster
from clicklib.emitter import EmitterStats
from clicklib.errors import CallbackError, DeliveryError, LocalBrokerError, UnavailableError
from tests.waiting import wait_until


def run(*arguments: str, **environment: str) -> Result:
    env = {"CLICKLIB_BROKERS": None, "CLICKLIB_DEBUG": None, **environment}
    return CliRunner().invoke(cli.cli, arguments, env=env)


@pytest.fixture(autouse=True)
def _no_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that gets as far as Kafka has let a wrong argument through."""

    def refuse(*_: object) -> Any:
        raise AssertionError("reached Kafka")

    for name in ("use", "start", "stop", "wipe", "fetch"):
        monkeypatch.setattr(broker, name, refuse)
    monkeypatch.setattr(cli, "_ensure", refuse)


@pytest.mark.parametrize(
    "arguments",
    [
        "demo --users 0",
        "demo --users ten",
        "demo --rate 0",
        "demo --rate -1",
        "demo --rate nan",
        "demo --rate inf",
        "demo --rate 1e-300",
        "demo --seconds 0",
        "demo --seconds nan",
        "demo --port 65536",
        "demo --port -1",
        "demo extra",
        "emit --users 0",
        "emit --users -3",
        "emit --rate -0.5",
        "emit --rate nan",
        "emit --rate 1e-300",
        "emit --count -1",
        "emit --count 1.5",
        "emit --nonsense",
        "process --guarantee at_most_once",
        "process --session-timeout 0",
        "process --session-timeout nan",
        "process --storage disk",
        f"process --state-dir {__file__}",
        f"demo --state-dir {__file__}",
        "view --port http",
        "broker start --nodes 0",
        "broker start --port 0",
        "broker logs -n 0",
        "broker dance",
        "dance",
    ],
)
def test_a_wrong_argument_is_a_usage_error(arguments: str) -> None:
    result = run(*arguments.split())
    assert result.exit_code == 2
    assert "Usage:" in result.stderr
    assert "Error:" in result.stderr
    assert result.stdout == ""


def test_the_options_of_process_reach_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, Any] = {}
    monkeypatch.setattr(cli, "_ensure", lambda *_: None)
    monkeypatch.setattr(clicks, "run_processor", lambda *_, **options: found.update(options))
    arguments = "process --storage memory --session-timeout 2.5 --guarantee exactly_once"
    result = run(*arguments.split(), "--brokers", "localhost:1")
    assert (result.exit_code, result.stderr) == (0, "")
    assert found == {
        "storage": "memory",
        "session_timeout": 2.5,
        "guarantee": "exactly_once",
        "state_dir": None,
    }


@given(
    st.sampled_from(["emit", "demo"]),
    st.sampled_from(["--users", "--rate"]),
    st.one_of(st.floats(max_value=-1e-9), st.just(float("nan")), st.integers(max_value=-1)),
)
def test_no_number_below_zero_is_taken(command: str, option: str, number: float) -> None:
    assert run(command, f"{option}={number}").exit_code == 2


@given(st.one_of(st.integers(max_value=-1), st.integers(min_value=65_536)))
def test_no_port_out_of_range_is_taken(port: int) -> None:
    for command in ("demo", "view"):
        assert run(command, f"--port={port}").exit_code == 2


@pytest.mark.parametrize("command", [[], ["demo"], ["emit"], ["broker"], ["broker", "start"]])
def test_help_is_given_without_loading_what_is_heavy(command: list[str]) -> None:
    code = (
        "import sys; from click.testing import CliRunner; from clicklib.cli import cli; "
        f"result = CliRunner().invoke(cli, {[*command, '--help']!r}); "
        "assert result.exit_code == 0, result; "
        "print([m for m in ('pandas', 'tornado', 'ipywidgets', 'plotly', 'jgo', 'requests') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_version_is_told() -> None:
    assert run("--version").stdout.startswith("clicklib")


def fails_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(brokers: str | None) -> Cluster:
        raise error

    monkeypatch.setattr(cli, "_connect", fail)


def test_an_error_is_one_line_with_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    error = CallbackError("the callback failed", topic="user-clicks", key="user-\x1b[2J")
    error.__cause__ = ZeroDivisionError("division\nby zero")
    fails_with(monkeypatch, error)
    result = run("emit")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: the callback failed (topic user-clicks, key 'user-\\x1b[2J'); "
        "cause: ZeroDivisionError: division | by zero\n"
    )


def test_a_cause_that_the_error_names_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    error = UnavailableError("no broker answers: refused")
    error.__cause__ = OSError("refused")
    fails_with(monkeypatch, error)
    assert run("emit").stderr == "Error: no broker answers: refused\n"


def test_an_unexpected_error_says_how_to_see_more(monkeypatch: pytest.MonkeyPatch) -> None:
    fails_with(monkeypatch, RuntimeError("oh"))
    result = run("emit")
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: RuntimeError: oh (CLICKLIB_DEBUG=1 shows where)\n",
    )


@pytest.mark.parametrize(
    ("arguments", "environment"), [(["-v", "emit"], {}), (["emit"], {"CLICKLIB_DEBUG": "1"})]
)
def test_the_traceback_is_shown_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], environment: dict[str, str]
) -> None:
    error = LocalBrokerError("no")
    fails_with(monkeypatch, error)
    assert run(*arguments, **environment).exception is error


def test_a_reader_that_has_gone_ends_it_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    error = CallbackError("the callback raised")
    error.__cause__ = BrokenPipeError(32, "Broken pipe")
    fails_with(monkeypatch, error)
    result = run("emit")
    assert (result.exit_code, result.stderr) == (0, "")


def test_ctrl_c_before_anything_began_ends_it_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    fails_with(monkeypatch, KeyboardInterrupt())
    result = run("emit")
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize("brokers", ["", ",", " "])
def test_no_address_is_not_the_local_kafka(brokers: str) -> None:
    result = run("emit", "--brokers", brokers)
    assert result.exit_code == 1
    assert "no broker address given" in result.stderr


def test_brokers_come_with_the_security_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLICKLIB_SASL_PASSWORD", "secret")
    cluster = cli._connect("a:1,b:2")
    assert cluster.addresses == ("a:1", "b:2")
    assert cluster.security == {"sasl_plain_password": "secret"}


class FakeEmitter:
    """Acknowledges each message at once, but the one at `bad` never."""

    bad: int | None = None

    def __init__(self, brokers: Cluster, topic: str, codec: Any) -> None:
        self.brokers, self.topic = brokers, topic
        self.error: DeliveryError | None = None
        FakeEmitter.sent = []

    def emit(self, key: str, msg: str) -> Future[tuple[int, int]]:
        self.sent.append((key, msg))
        promise: Future[tuple[int, int]] = Future()
        if len(self.sent) - 1 == self.bad:
            self.error = DeliveryError("Kafka did not take the message", key=key)
            promise.set_exception(self.error)
        else:
            promise.set_result((0, len(self.sent) - 1))
        return promise

    def stats(self) -> EmitterStats:
        failed = self.error is not None
        return EmitterStats(len(self.sent), len(self.sent) - failed, int(failed))

    def __enter__(self) -> FakeEmitter:
        return self

    def __exit__(self, *_: object) -> None:
        if self.error is not None:
            raise self.error


@pytest.fixture
def _fake_emitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clicklib, "Emitter", FakeEmitter)
    monkeypatch.setattr(cli, "_ensure", lambda cluster, stream, table: None)
    monkeypatch.setattr(FakeEmitter, "bad", None)


@pytest.mark.usefixtures("_fake_emitter")
def test_emit_says_how_many_were_acknowledged() -> None:
    result = run("emit", "--brokers", "x:1", "--count", "25", "--rate", "0", "--users", "3")
    assert (result.exit_code, result.stdout) == (0, "emitted 25 clicks, 25 acknowledged\n")
    assert [key for key, _ in FakeEmitter.sent[:4]] == ["user-0", "user-1", "user-2", "user-0"]


@pytest.mark.usefixtures("_fake_emitter")
def test_emit_takes_one_key() -> None:
    run("emit", "--brokers", "x:1", "--count", "2", "--rate", "0", "--key", "")
    assert [key for key, _ in FakeEmitter.sent] == ["", ""]


@pytest.mark.usefixtures("_fake_emitter")
def test_emit_of_no_clicks_emits_none() -> None:
    result = run("emit", "--brokers", "x:1", "--count", "0")
    assert (result.exit_code, result.stdout) == (0, "emitted 0 clicks, 0 acknowledged\n")


@pytest.mark.usefixtures("_fake_emitter")
def test_emit_keeps_its_rate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waits = []

    class Clock(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            return len(waits) > 10

    monkeypatch.setattr(cli.time, "monotonic", lambda: 0.0)
    cli._emit(Cluster(("x:1",)), "t", iter(lambda: "user-0", None), 4, Clock())
    assert waits == [i / 4 for i in range(11)]
    assert capsys.readouterr().out == "emitted 10 clicks, 10 acknowledged\n"


@pytest.mark.usefixtures("_fake_emitter")
def test_a_click_that_fails_stops_emit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeEmitter, "bad", 3)
    result = run("emit", "--brokers", "x:1", "--count", "1000", "--rate", "0")
    assert (result.exit_code, result.stdout) == (1, "emitted 4 clicks, 3 acknowledged\n")
    assert result.stderr == "Error: Kafka did not take the message (key 'user-3')\n"


def test_start_prints_the_address_last(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = ("127.0.0.1:9092", "127.0.0.1:9094", "127.0.0.1:9096")
    asked = []
    monkeypatch.setattr(
        broker, "start", lambda nodes, port: asked.append((nodes, port)) or Cluster(addresses)
    )
    result = run("broker", "start", "--nodes", "3", "--port", "9092")
    assert result.stdout.splitlines()[-1] == ",".join(addresses)
    assert asked == [(3, 9092)]


def test_status_says_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    common = {"keeper": None, "java": (), "memory": 150 << 20, "size": 2 << 20}
    runs = broker.Status(1, True, ("127.0.0.1:9092",), False, (1, 2), directory=Path("a"), **common)
    opened = replace(runs, users=(), stays=True, open_at="10.0.0.5:9192")
    rests = broker.Status(3, False, (), True, (), directory=Path("b"), **common)
    monkeypatch.setattr(broker, "status", lambda: [runs, opened, rests])
    assert run("broker", "status").stdout.splitlines() == [
        "1 node: running at 127.0.0.1:9092, 2 users, 150 MB of memory, 2 MB in a",
        "1 node: running at 127.0.0.1:9092, open at 10.0.0.5:9192 with a password, "
        "stays until stopped, 150 MB of memory, 2 MB in a",
        "3 nodes: not running, stays until stopped, 150 MB of memory, 2 MB in b",
    ]
    monkeypatch.setattr(broker, "status", list)
    assert run("broker", "status").stdout == "Kafka was never started here\n"


def test_wipe_stops_only_when_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(broker, "wipe", lambda stop: asked.append(stop))
    run("broker", "wipe")
    run("broker", "wipe", "--stop")
    assert asked == [False, True]


def test_stop_says_whether_it_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    for ran, text in ((True, "Kafka stopped\n"), (False, "Kafka was not running\n")):
        monkeypatch.setattr(broker, "stop", lambda ran=ran: ran)
        assert run("broker", "stop").stdout == text


@pytest.fixture
def _signals() -> Iterator[None]:
    """The handlers of before, put back."""
    before = [(number, signal.getsignal(number)) for number in terminal.SIGNALS]
    yield
    for number, handler in before:
        signal.signal(number, handler)


@pytest.mark.usefixtures("_signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_sets_the_event_and_others_do_no_harm(number: int) -> None:
    with terminal.stopping() as stop:
        for _ in range(3):
            os.kill(os.getpid(), number)
        assert stop.wait(10)
    for _ in range(3):
        os.kill(os.getpid(), number)


@pytest.mark.usefixtures("_signals")
def test_without_a_signal_nothing_is_left() -> None:
    threads = set(threading.enumerate())
    handlers = [signal.getsignal(number) for number in terminal.SIGNALS]
    with terminal.stopping() as stop:
        pass
    assert not stop.is_set()
    assert set(threading.enumerate()) == threads
    assert [signal.getsignal(number) for number in terminal.SIGNALS] == handlers


@pytest.mark.usefixtures("_signals")
def test_a_signal_that_a_library_swallows_stops_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def swallow(brokers: str | None) -> Cluster:
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(10)
        return Cluster(("x:1",))

    monkeypatch.setattr(cli, "_connect", swallow)
    monkeypatch.setattr(cli, "_ensure", lambda cluster, stream, table: None)
    with cli._running("x:1") as (_, stop):
        assert stop.wait(10)


def test_lines_of_many_threads_stay_whole() -> None:
    stream = io.StringIO()
    lines = terminal.Lines(stream)
    with ThreadPoolExecutor(8) as pool:
        for i in range(8):
            pool.submit(lambda i=i: [print(i, "x" * 50, i, file=lines) for _ in range(200)])
    assert sorted(stream.getvalue().splitlines()) == sorted(
        f"{i} {'x' * 50} {i}" for i in range(8) for _ in range(200)
    )


@given(st.text())
def test_no_control_character_reaches_the_terminal(text: str) -> None:
    stream = io.StringIO(newline="")
    print(text, file=terminal.Lines(stream))
    shown = stream.getvalue()
    assert not [c for c in shown if c not in "\n\t" and (ord(c) < 32 or 127 <= ord(c) < 160)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_connects_ends_it_quietly(number: int, tmp_path: Path) -> None:
    started = tmp_path / "started"
    code = (
        "import sys, time, pathlib; from clicklib import broker; from clicklib.cli import main\n"
        f"def use(): pathlib.Path({str(started)!r}).touch(); time.sleep(60)\n"
        "broker.use = use; sys.argv = ['clicklib', 'emit']; main()"
    )
    environment = {k: v for k, v in os.environ.items() if k != "CLICKLIB_BROKERS"}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=-1, stderr=-1, text=True, env=environment
    ) as process:
        wait_until("it connects", started.exists)
        for _ in range(3):
            process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_command_imports_what_it_needs_while_kafka_starts() -> None:
    code = """
import sys
from clicklib import broker
from clicklib.cli import commands
from tests.waiting import wait_until

def use():
    wait_until("it is there", lambda: {"clicklib.processor", "kafka"} <= sys.modules.keys())

broker.use = use
commands._connect(None)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
