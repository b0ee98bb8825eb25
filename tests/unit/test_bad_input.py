"""Whatever comes in by arguments, environment and messages: success or a clear error."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clicklib import Input, Persist, broker, clicks, define_group
from clicklib.cli import commands as cli
from clicklib.codec import Bytes, Int64, Json, String
from clicklib.errors import ClicklibError, CodecError, LocalBrokerError, UnavailableError
from clicklib.tester import Tester

few = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ODD = ["~", "~nobody-of-this-name", "x" * 5_000, "..", "/", "/dev/null", "-1", "nan", "1e999", "--"]
ODD += ["127.0.0.1:1", "a:b:c", "[::1", "alice:pw@x:1", ",,", " ", "a\nb", "ä☃"]
odd_texts = st.one_of(st.text(max_size=10), st.sampled_from(ODD))


@pytest.fixture(autouse=True)
def _no_kafka(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No Kafka is there, and relative paths lead into a folder of the test's."""
    monkeypatch.chdir(tmp_path)

    def refuse(error: ClicklibError) -> Any:
        def refused(*_: object, **__: object) -> None:
            raise error

        return refused

    for name in ("use", "start", "stop", "wipe", "fetch"):
        monkeypatch.setattr(broker, name, refuse(LocalBrokerError("not here")))
    monkeypatch.setattr(cli, "_ensure", refuse(UnavailableError("no broker answers")))


def run(arguments: list[str], environment: dict[str, str]) -> Result:
    unset = {name: None for name in os.environ if name.startswith("CLICKLIB_")}
    here = {"CLICKLIB_HOME": "home", "CLICKLIB_JARS": "jars"}
    return CliRunner().invoke(cli.cli, arguments, env={**unset, **here, **environment})


def check(result: Result) -> None:
    """It ended by itself, and what went wrong is one of clicklib's own errors in a line."""
    assert result.exit_code in (0, 1, 2), result.exception
    assert isinstance(result.exception, SystemExit | None)
    assert "Traceback" not in result.output
    assert "CLICKLIB_DEBUG=1 shows where" not in result.output, result.output


WORDS = ["demo", "emit", "process", "view", "broker", "start", "status", "stop", "logs", "doctor"]
OPTIONS = [
    "--brokers",
    "--topic",
    "--group",
    "--port",
    "--users",
    "--rate",
    "--seconds",
    "--count",
    "--key",
    "--guarantee",
    "--state-dir",
    "--nodes",
    "--lines",
    "--quiet",
    "--help",
]


@few
@given(
    st.sampled_from(["demo", "emit", "process", "view"]),
    st.lists(st.tuples(st.sampled_from(OPTIONS), odd_texts), max_size=4),
)
def test_any_option_is_taken_or_refused(command: str, options: list[tuple[str, str]]) -> None:
    check(run([command, *(f"{option}={text}" for option, text in options)], {}))


@few
@given(st.lists(st.one_of(st.sampled_from(WORDS + OPTIONS), odd_texts), max_size=5))
def test_any_words_are_taken_or_refused(arguments: list[str]) -> None:
    check(run(arguments, {}))


PATHS = ["CLICKLIB_HOME", "CLICKLIB_JARS", "CLICKLIB_JAVA"]
NAMES = ["SECURITY_PROTOCOL", "SASL_MECHANISM", "SASL_USERNAME", "SASL_PASSWORD"]
NAMES += ["SSL_CAFILE", "SSL_CERTFILE", "SSL_KEYFILE", "SSL_PASSWORD", "BROKERS"]


@pytest.mark.parametrize("arguments", [["doctor"], ["broker", "status"], ["broker", "logs"]])
@pytest.mark.parametrize("variable", PATHS)
def test_a_path_that_cannot_be_is_taken_or_refused(variable: str, arguments: list[str]) -> None:
    for text in ODD:
        result = run(arguments, {variable: text})
        check(result)
        if text in ("~nobody-of-this-name", "x" * 5_000) and arguments == ["doctor"]:
            assert f"{variable} names a path that cannot be used" in result.output


@few
@given(
    st.dictionaries(
        st.sampled_from(NAMES),
        odd_texts.filter(lambda text: "\0" not in text and text.isprintable()),
    )
)
def test_any_login_is_taken_or_refused_by_the_environment(login: dict[str, str]) -> None:
    environment = {f"CLICKLIB_{name}": text for name, text in login.items()}
    result = run(["emit"], environment)
    check(result)


CODECS = [String(), Bytes(), Int64(), Json(), Json(clicks.User), Json(dict[str, list[int]])]
raw = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"[" * 100_000, b'{"Clicks":' * 50_000, b"9" * 30, b"\xef\xbb\xbf1", b"1e999"]
    ),
    st.sampled_from([b'{"Clicks":1e400}', b'{"Clicks":true}', b'"\\ud800"', b"NaN", b"\xff\xfe"]),
)


@few
@given(st.integers(0, len(CODECS) - 1), raw, st.text(max_size=5), st.text(max_size=5))
def test_any_bytes_are_a_message_or_a_codec_error(
    number: int, data: bytes, key: str, header: str
) -> None:
    def keep(ctx: Any, msg: Any) -> None:
        ctx.set_value(msg)
        assert ctx.headers == {header: b"x"}

    graph = define_group("g", Input("t", CODECS[number], keep), Persist(CODECS[number]))
    tester = Tester(graph)
    codec, caught = CODECS[number], None
    try:
        tester.consume_bytes("t", key, data, headers={header: b"x"})
    except CodecError as error:
        caught = error
    if caught is None:
        assert repr(tester.table_value(key)) == repr(codec.decode(data))
    else:
        assert (caught.topic, caught.key) == ("t", key)
        assert len(str(caught)) < 2_000


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner), st.tuples(inner)),
    max_leaves=8,
)


@few
@given(st.integers(0, len(CODECS) - 1), st.one_of(values, st.just(object())), st.text())
def test_any_value_is_a_row_or_a_codec_error(number: int, value: Any, key: str) -> None:
    graph = define_group("g", Input("t", Bytes(), lambda ctx, msg: None), Persist(CODECS[number]))
    tester = Tester(graph)
    with contextlib.suppress(CodecError):
        tester.set_table_value(key, value)
        tester.table_value(key)


def test_a_value_without_end_is_a_codec_error() -> None:
    value: list[Any] = []
    value.append(value)
    graph = define_group(
        "g", Input("t", String(), lambda c, m: c.set_value(value)), Persist(Json())
    )
    with pytest.raises(CodecError):
        Tester(graph).consume("t", "user-3", "now")
