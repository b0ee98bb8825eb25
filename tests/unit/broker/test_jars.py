"""The jars are those that the lock file pins, byte for byte, or none."""

from __future__ import annotations

import hashlib
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from clicklib.broker import jars
from clicklib.broker.jars import Jar, fetch, missing, pinned, read_lock
from clicklib.errors import LocalBrokerError

RIGHT, WRONG = b"right bytes", b"wrong bytes"
CUT, RESET, BUSY = b"cut", b"reset", b"busy"  # what a server does instead of answering


def a_jar(name: str = "a", content: bytes = RIGHT) -> Jar:
    return Jar("org.x", name, "1.0", "", hashlib.sha256(content).hexdigest(), len(content))


class Maven:
    """A repository on loopback: gives the answers in turn, the last one for ever.

    It is a proxy as well, which lets nobody through to another host by TLS.
    """

    def __init__(self) -> None:
        self.answers = [RIGHT]
        self.asked: list[str] = []
        maven = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.endswith(".sha1"):  # jgo looks for one, and does without
                    self.send_error(404)
                    return
                maven.asked.append(self.path)
                answers = maven.answers
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(503 if answer is BUSY else 200)
                self.send_header("Content-Length", str(len(answer) + (answer in (CUT, RESET))))
                self.end_headers()
                self.wfile.write(answer)
                if answer is RESET:
                    at_once = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
                    self.connection.close()

            def do_CONNECT(self) -> None:
                maven.asked.append(self.path)
                self.send_error(403)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def maven(monkeypatch: pytest.MonkeyPatch) -> Iterator[Maven]:
    """The jars come from it, without proxies."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    maven = Maven()
    monkeypatch.setenv("CLICKLIB_MAVEN", f"{maven.url}/maven2/")
    thread = threading.Thread(target=maven.server.serve_forever, args=(0.01,))
    thread.start()
    yield maven
    maven.server.shutdown()
    maven.server.server_close()
    thread.join()


def test_the_lock_file_names_a_whole_broker() -> None:
    jars = pinned()
    names = [f"{jar.group}:{jar.artifact}:{jar.version}" for jar in jars]
    assert len(jars) == 45
    assert names == sorted(set(names))
    assert "org.apache.kafka:kafka_2.13:4.4.0" in names
    assert "org.slf4j:slf4j-simple:1.7.36" in names
    assert len({jar.name for jar in jars}) == len(jars), "they share one directory"
    assert 40_000_000 < sum(jar.size for jar in jars) < 50_000_000


def test_a_line_of_the_lock_file() -> None:
    sha = "0123456789abcdef" * 4
    text = f"# a comment\n\norg.x:a_2.13:1.0 {sha} 12\norg.x:b:2:linux {sha} 3\n"
    assert read_lock(text) == [
        Jar("org.x", "a_2.13", "1.0", "", sha, 12),
        Jar("org.x", "b", "2", "linux", sha, 3),
    ]
    assert [jar.name for jar in read_lock(text)] == ["a_2.13-1.0.jar", "b-2-linux.jar"]


@pytest.mark.parametrize(
    "line",
    [
        "org.x:a:1.0",
        f"org.x:a {'0' * 64} 1",
        f"org.x:a:1.0 {'0' * 63} 1",
        f"org.x:a:1.0 {'0' * 64} many",
        f"org.x:a:../../b {'0' * 64} 1",
    ],
)
def test_a_damaged_lock_file_is_refused(line: str) -> None:
    with pytest.raises(LocalBrokerError, match=r"line 2 of jars\.lock is damaged"):
        read_lock(f"# fine\n{line}\n")


def test_what_is_missing_is_fetched_and_nothing_twice(tmp_path: Path, maven: Maven) -> None:
    jars = [a_jar("a"), a_jar("b")]
    paths = fetch(tmp_path / "jars", False, jars)
    assert [path.name for path in paths] == ["a-1.0.jar", "b-1.0.jar"]
    assert all(path.read_bytes() == RIGHT for path in paths)
    assert fetch(tmp_path / "jars", False, jars) == paths
    assert maven.asked == ["/maven2/org/x/a/1.0/a-1.0.jar", "/maven2/org/x/b/1.0/b-1.0.jar"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_jar_is_for_all_who_may_enter_the_directory(tmp_path: Path, maven: Maven) -> None:
    (path,) = fetch(tmp_path, False, [a_jar()])
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("damage", [WRONG, RIGHT[:-1], RIGHT + b"!", b""])
def test_a_changed_jar_is_noticed_and_fetched_again(
    tmp_path: Path, maven: Maven, damage: bytes
) -> None:
    (path,) = fetch(tmp_path, False, [a_jar()])
    path.write_bytes(damage)
    assert missing([a_jar()], tmp_path) == [a_jar()]
    fetch(tmp_path, False, [a_jar()])
    assert path.read_bytes() == RIGHT


@pytest.mark.parametrize("first", [WRONG, BUSY, CUT, RESET, b"", RIGHT[:-1], RIGHT + b"!"])
def test_what_fails_is_fetched_once_more(tmp_path: Path, maven: Maven, first: bytes) -> None:
    maven.answers = [first, RIGHT]
    (path,) = fetch(tmp_path, False, [a_jar()])
    assert path.read_bytes() == RIGHT
    assert len(maven.asked) == 2


def test_wrong_bytes_twice_are_refused(tmp_path: Path, maven: Maven) -> None:
    maven.answers = [WRONG]
    with pytest.raises(LocalBrokerError) as caught:
        fetch(tmp_path, False, [a_jar()])
    message = str(caught.value)
    assert "org.x:a:1.0 came twice with other bytes than pinned" in message
    assert hashlib.sha256(WRONG).hexdigest() in message
    assert hashlib.sha256(RIGHT).hexdigest() in message
    assert [path.name for path in tmp_path.iterdir()] == [".fetch.lock"]
    assert len(maven.asked) == 2


@pytest.mark.parametrize(
    ("fault", "told"), [(BUSY, "not found"), (CUT, "IncompleteRead"), (RESET, "reset")]
)
def test_a_failed_download_says_what_to_do_and_keeps_the_rest(
    tmp_path: Path, maven: Maven, fault: bytes, told: str
) -> None:
    maven.answers = [RIGHT, fault]
    with pytest.raises(LocalBrokerError, match=rf"cannot fetch org\.x:b:1\.0.*{told}.*network"):
        fetch(tmp_path, False, [a_jar("a"), a_jar("b")])
    assert missing([a_jar("a"), a_jar("b")], tmp_path) == [a_jar("b")]


@pytest.mark.parametrize("mirror", ["http://127.0.0.1:1", "127.0.0.1:1", "nowhere", "http://[x"])
def test_a_mirror_that_is_none_is_named(
    tmp_path: Path, maven: Maven, monkeypatch: pytest.MonkeyPatch, mirror: str
) -> None:
    monkeypatch.setenv("CLICKLIB_MAVEN", mirror)
    with pytest.raises(LocalBrokerError, match=r"cannot fetch org\.x:a:1\.0.*") as caught:
        fetch(tmp_path, False, [a_jar()])
    assert f"it comes from {mirror}" in str(caught.value)


def test_a_login_in_the_mirror_s_address_is_refused_and_not_shown(
    tmp_path: Path, maven: Maven, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLICKLIB_MAVEN", maven.url.replace("//", "//alice:s3cret@"))
    with pytest.raises(LocalBrokerError, match=r"CLICKLIB_MAVEN .*netrc") as caught:
        fetch(tmp_path, False, [a_jar()])
    assert "s3cret" not in str(caught.value)
    assert maven.asked == []


def test_a_proxy_is_used(tmp_path: Path, maven: Maven, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKLIB_MAVEN", "http://maven.invalid")
    monkeypatch.setenv("http_proxy", maven.url)
    fetch(tmp_path, False, [a_jar()])
    assert maven.asked == ["http://maven.invalid/org/x/a/1.0/a-1.0.jar"]


def test_a_proxy_that_refuses_is_told(
    tmp_path: Path, maven: Maven, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLICKLIB_MAVEN")
    monkeypatch.setenv("https_proxy", maven.url)
    with pytest.raises(LocalBrokerError, match=r"cannot fetch .*403.*Maven Central: check.*proxy"):
        fetch(tmp_path, False, [a_jar()])
    assert {target.rpartition(":")[2] for target in maven.asked} == {"443"}


def test_a_directory_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalBrokerError, match="CLICKLIB_JARS"):
        fetch(tmp_path / "file" / "jars", False, [a_jar()])


def test_a_full_disk_is_no_fault_of_the_network(
    tmp_path: Path, maven: Maven, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(jars, "_by_jgo", full)
    with pytest.raises(LocalBrokerError, match=r"cannot keep .*No space left.*CLICKLIB_JARS"):
        fetch(tmp_path, False, [a_jar()])


def test_several_at_once_fetch_once(tmp_path: Path, maven: Maven) -> None:
    jars = [a_jar("a"), a_jar("b")]
    threads = [threading.Thread(target=fetch, args=(tmp_path, False, jars)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(path.rpartition("/")[2] for path in maven.asked) == ["a-1.0.jar", "b-1.0.jar"]


PROGRAM = """
import sys
from pathlib import Path
from clicklib.broker.jars import fetch, read_lock
fetch(Path(sys.argv[1]), True, read_lock(sys.argv[2]))
"""


def command(directory: Path, jar: Jar) -> list[str]:
    return [sys.executable, "-c", PROGRAM, str(directory), f"{jar} {jar.sha256} {jar.size}"]


def test_several_processes_at_once_fetch_once(tmp_path: Path, maven: Maven) -> None:
    programs = [subprocess.Popen(command(tmp_path, a_jar()), stderr=-1) for _ in range(4)]
    errors = [program.communicate(timeout=60)[1] for program in programs]
    assert [program.returncode for program in programs] == [0] * 4, errors
    assert len(maven.asked) == 1


# What is seen of it.


def test_a_log_gets_one_line(
    tmp_path: Path, maven: Maven, capsys: pytest.CaptureFixture[str]
) -> None:
    jars = [a_jar("a"), a_jar("b", bytes(3 << 20))]
    maven.answers = [RIGHT, bytes(3 << 20)]
    fetch(tmp_path, True, jars)
    assert capsys.readouterr() == ("", "Fetching Apache Kafka (3 MB)…\n")
    fetch(tmp_path, True, jars)
    assert capsys.readouterr() == ("", "")


def test_without_progress_nothing_is_written(
    tmp_path: Path, maven: Maven, capsys: pytest.CaptureFixture[str]
) -> None:
    maven.answers = [WRONG, RIGHT]
    fetch(tmp_path, False, [a_jar()])
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo terminals")
def test_a_terminal_shows_a_bar_that_counts_bytes(tmp_path: Path, maven: Maven) -> None:
    import termios

    content = os.urandom(3 << 20)
    maven.answers = [content[:-1], content]  # the first try does not count
    shown, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, 100))
    program = subprocess.Popen(
        command(tmp_path, a_jar("a", content)),
        env=os.environ | {"TQDM_MININTERVAL": "0"},
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    text = b""
    while chunk := _read(shown):
        text += chunk
    os.close(shown)
    assert program.wait(30) == 0, text
    lines = text.split(b"\r")
    assert any(line.startswith(b"Apache Kafka:   0%") for line in lines)
    assert any(line.startswith(b"Apache Kafka: 100%") and b"3.15M/3.15M" in line for line in lines)
    assert not [line for line in lines if b"Fetching" in line]


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that nobody writes to it any more
        return b""
