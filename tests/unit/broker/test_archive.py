"""The class archive without Java: for which Java and jars it is, and when there is none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from clicklib.broker import archive as archives
from clicklib.broker import needs
from clicklib.broker.archive import Archive
from clicklib.broker.java import Java
from clicklib.broker.node import Node
from clicklib.broker.paths import patience
from clicklib.errors import LocalBrokerError


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(1, tmp_path / "kafka-1" / "node-1", 1, 2)


@pytest.fixture
def java(tmp_path: Path) -> Java:
    path = tmp_path / "java" / "bin" / "java"
    path.parent.mkdir(parents=True)
    path.write_text("java")
    return Java(path, 17)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    directory = tmp_path / "jars"
    directory.mkdir()
    for name in ("a.jar", "b.jar"):
        (directory / name).write_text(name)
    return [directory / "a.jar", directory / "b.jar"]


@pytest.mark.parametrize(
    "change",
    [
        lambda java, paths: paths[1].write_text("longer than before"),
        lambda java, paths: os.utime(paths[1], (1, 1)),
        lambda java, paths: java.path.write_text("another java"),
        lambda java, paths: (java.path.parent.parent / "release").write_text("17.0.99"),
        lambda java, paths: paths.reverse(),
    ],
)
def test_another_java_or_other_jars_have_another_archive(
    java: Java, paths: list[Path], node: Node, change: Callable[[Java, list[Path]], object]
) -> None:
    before = Archive.of(java, paths, node)
    assert Archive.of(java, paths, node) == before
    assert before.file.parent == paths[0].parent
    change(java, paths)
    assert Archive.of(java, paths, node).file != before.file


def test_homes_with_the_same_jars_share_it(java: Java, paths: list[Path], tmp_path: Path) -> None:
    one, two = (Node(1, tmp_path / name / "kafka-1" / "node-1", 1, 2) for name in ("one", "two"))
    assert Archive.of(java, paths, one) == Archive.of(java, paths, two)


def test_java_uses_only_an_archive_that_is_there(java: Java, paths: list[Path], node: Node) -> None:
    archive = Archive.of(java, paths, node)
    assert archive.is_due()
    assert archive.flags(node) == []
    archive.file.touch()
    assert not archive.is_due(), "an empty file says that it was tried"
    assert archive.flags(node) == []
    archive.file.write_text("classes")
    assert f"-XX:SharedArchiveFile={archive.file}" in archive.flags(node)
    assert f"-XX:AOTCache={archive.file}" in Archive(Java(java.path, 25), archive.file).flags(node)
    archive.discard()
    archive.discard()
    assert archive.flags(node) == []


def test_old_archives_go(java: Java, paths: list[Path], node: Node) -> None:
    directory = paths[0].parent
    for age in (1, 2, 3):
        path = directory / f"classes-{age}.jsa"
        path.touch()
        os.utime(path, (1e9 - age, 1e9 - age))
    scratch = directory / "scratch"
    scratch.write_text("classes")
    archive = Archive.of(java, paths, node)
    archive.keep(scratch)
    assert archive.file.read_text() == "classes"
    assert set(directory.glob("*.jsa")) == {archive.file, directory / "classes-1.jsa"}
    archive.keep(scratch)
    assert archive.file.read_text() == "", "of a Java that wrote nothing"


@pytest.mark.parametrize("obstacle", ["no java", "no folder", "no room", "locked"])
def test_without_an_archive_nothing_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, obstacle: str
) -> None:
    directory = tmp_path / "jars"
    monkeypatch.setenv("CLICKLIB_HOME", str(tmp_path))
    monkeypatch.setenv("CLICKLIB_JARS", str(directory))
    monkeypatch.setattr(archives, "_run_trial", lambda *_: pytest.fail("it ran"))
    if obstacle == "no java":
        monkeypatch.setenv("CLICKLIB_JAVA", str(tmp_path / "none"))
    if obstacle != "no folder":
        directory.mkdir()
    if obstacle == "no room":
        monkeypatch.setattr(needs, "_DISK", 1 << 60)
    if obstacle == "locked":
        (directory / ".archive.lock").mkdir()
    archives.make()
    assert not list(directory.glob("classes-*"))


@pytest.mark.parametrize(("text", "seconds"), [("", 60), ("0", 0), ("2.5", 2.5)])
def test_how_long_kafka_stays_without_users(
    monkeypatch: pytest.MonkeyPatch, text: str, seconds: float
) -> None:
    monkeypatch.setenv("CLICKLIB_KAFKA_IDLE", text)
    assert patience() == seconds


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
def test_no_number_of_seconds_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("CLICKLIB_KAFKA_IDLE", text)
    with pytest.raises(LocalBrokerError, match=rf"CLICKLIB_KAFKA_IDLE is '{text}': set .*seconds"):
        patience()
