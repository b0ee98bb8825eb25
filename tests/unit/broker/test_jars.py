"""The jars are those that the lock file pins, byte for byte, or none."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from clicklib.broker.jars import Advance, Jar, fetch, missing, pinned, read_lock
from clicklib.errors import LocalBrokerError

RIGHT, WRONG = b"right bytes", b"wrong bytes"


def a_jar(name: str = "a", content: bytes = RIGHT) -> Jar:
    return Jar("org.x", name, "1.0", "", hashlib.sha256(content).hexdigest(), len(content))


class FakeFetcher:
    """Gives the contents in turn, the last one for ever, and counts."""

    def __init__(self, *contents: bytes) -> None:
        self.contents = list(contents)
        self.fetched: list[str] = []

    def __call__(self, jar: Jar, scratch: Path, advance: Advance) -> Path:
        assert not list(scratch.iterdir()), "nothing of an earlier try is left"
        content = self.contents.pop(0) if len(self.contents) > 1 else self.contents[0]
        self.fetched.append(jar.name)
        path = scratch / "download"
        path.write_bytes(content)
        advance(len(content))
        return path


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


def test_what_is_missing_is_fetched_and_nothing_twice(tmp_path: Path) -> None:
    fetcher = FakeFetcher(RIGHT)
    jars = [a_jar("a"), a_jar("b")]
    paths = fetch(tmp_path / "jars", False, jars, fetcher)
    assert [path.name for path in paths] == ["a-1.0.jar", "b-1.0.jar"]
    assert all(path.read_bytes() == RIGHT for path in paths)
    assert fetch(tmp_path / "jars", False, jars, fetcher) == paths
    assert fetcher.fetched == ["a-1.0.jar", "b-1.0.jar"]


@pytest.mark.parametrize("damage", [WRONG, RIGHT[:-1], RIGHT + b"!", b""])
def test_a_changed_jar_is_noticed_and_fetched_again(tmp_path: Path, damage: bytes) -> None:
    fetcher = FakeFetcher(RIGHT)
    (path,) = fetch(tmp_path, False, [a_jar()], fetcher)
    path.write_bytes(damage)
    assert missing([a_jar()], tmp_path) == [a_jar()]
    fetch(tmp_path, False, [a_jar()], fetcher)
    assert path.read_bytes() == RIGHT


def test_wrong_bytes_are_fetched_once_more(tmp_path: Path) -> None:
    fetcher = FakeFetcher(WRONG, RIGHT)
    (path,) = fetch(tmp_path, False, [a_jar()], fetcher)
    assert path.read_bytes() == RIGHT
    assert len(fetcher.fetched) == 2


def test_wrong_bytes_twice_are_refused(tmp_path: Path) -> None:
    fetcher = FakeFetcher(WRONG)
    with pytest.raises(LocalBrokerError) as caught:
        fetch(tmp_path, False, [a_jar()], fetcher)
    message = str(caught.value)
    assert "org.x:a:1.0 came twice with other bytes than pinned" in message
    assert hashlib.sha256(WRONG).hexdigest() in message
    assert hashlib.sha256(RIGHT).hexdigest() in message
    assert [path.name for path in tmp_path.iterdir()] == [".fetch.lock"]
    assert len(fetcher.fetched) == 2


def test_a_failed_download_says_what_to_do_and_keeps_the_rest(tmp_path: Path) -> None:
    def fetcher(jar: Jar, scratch: Path, advance: Advance) -> Path:
        if jar.artifact == "b":
            raise ConnectionError("no route")
        return FakeFetcher(RIGHT)(jar, scratch, advance)

    with pytest.raises(LocalBrokerError, match=r"cannot fetch org\.x:b:1\.0.*no route.*network"):
        fetch(tmp_path, False, [a_jar("a"), a_jar("b")], fetcher)
    assert missing([a_jar("a"), a_jar("b")], tmp_path) == [a_jar("b")]


def test_a_directory_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalBrokerError, match="CLICKLIB_JARS"):
        fetch(tmp_path / "file" / "jars", False, [a_jar()], FakeFetcher(RIGHT))


def test_several_at_once_fetch_once(tmp_path: Path) -> None:
    fetcher = FakeFetcher(RIGHT)
    jars = [a_jar("a"), a_jar("b")]
    threads = [
        threading.Thread(target=fetch, args=(tmp_path, False, jars, fetcher)) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(fetcher.fetched) == ["a-1.0.jar", "b-1.0.jar"]


def test_the_progress_bar_counts_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetch(tmp_path, True, [a_jar()], FakeFetcher(RIGHT))
    out, err = capsys.readouterr()
    assert "Apache Kafka" in err
    assert out == ""
    fetch(tmp_path / "more", False, [a_jar()], FakeFetcher(RIGHT))
    assert capsys.readouterr() == ("", "")
