"""Kafka starts from the class archive, which is made beside the jars, and does without it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from clicklib import broker
from tests.waiting import wait_until


@pytest.fixture
def jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The jars of a home of the test's own, in a folder whose name Java could misread."""
    home = tmp_path / "é:, "
    jars = home / "jars"
    fetched = broker.fetch(progress=False)
    shutil.copytree(
        fetched, jars, copy_function=os.link, ignore=lambda *_: {"older", *archives(fetched)}
    )
    monkeypatch.setenv("CLICKLIB_HOME", str(home))
    monkeypatch.delenv("CLICKLIB_JARS", raising=False)
    monkeypatch.delenv("CLICKLIB_BROKERS", raising=False)
    yield jars
    broker.stop()
    broker.release()


def archives(jars: Path) -> list[str]:
    return [path.name for path in jars.glob("classes-*")]


def mapped() -> list[str]:
    """The archives that the local Kafka has mapped."""
    [status] = broker.status()
    maps = psutil.Process(status.java[0]).memory_maps()
    return [Path(each.path).name for each in maps if Path(each.path).name.startswith("classes-")]


def test_kafka_starts_from_the_archive_that_fetch_made(jars: Path) -> None:
    broker.fetch(progress=False)
    [archive] = archives(jars)
    assert sorted(path.name for path in jars.parent.iterdir()) == ["jars"], "no trace of the trial"
    broker.use(progress=False)
    assert mapped() == [archive]
    assert broker.stop()

    os.truncate(jars / archive, 20_000_000)  # Java 17 crashes when it maps the rest
    broker.use(progress=False)
    assert broker.status()[0].running
    assert mapped() == []


@pytest.mark.long
def test_a_keeper_has_it_made_in_the_background(jars: Path) -> None:
    broker.use(progress=False)
    [archive] = wait_until("the archive is there", lambda: archives(jars))
    assert broker.stop()
    broker.use(progress=False)
    assert mapped() == [archive]


@pytest.mark.long
def test_a_trial_ends_with_its_keeper(jars: Path) -> None:
    broker.use(progress=False)
    [status] = broker.status()
    keeper = psutil.Process(status.keeper)

    def trial() -> list[psutil.Process]:
        below = keeper.children(recursive=True)
        return [each for each in below if any("kafka-trial" in text for text in each.cmdline())]

    processes = wait_until("the trial runs", lambda: len(found := trial()) > 1 and found)
    broker.release()
    keeper.kill()
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert not alive
    wait_until("no trace", lambda: not (jars.parent / "kafka-trial").exists())
    assert archives(jars) == []
