"""A real broker for the whole run, and names, folders and programs of a test's own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clicklib import Cluster, Emitter, Graph, View, broker, clicks
from clicklib.client.topics import TopicManager
from clicklib.codec import String
from tests.waiting import wait_until

_HOME = "CLICKLIB_TEST_HOME"


def pytest_configure(config: pytest.Config) -> None:
    """One home for all processes of a run, so that they share one broker."""
    if _HOME not in os.environ:
        os.environ[_HOME] = tempfile.mkdtemp(prefix="clicklib-tests-")
        config.add_cleanup(lambda: shutil.rmtree(os.environ.pop(_HOME), ignore_errors=True))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The broker of this run, shared by its processes; it goes with the last of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLICKLIB_JARS", str(broker.fetch(progress=False)))
        patch.setenv("CLICKLIB_HOME", os.environ[_HOME])
        patch.delenv("CLICKLIB_BROKERS", raising=False)
        yield broker.use(progress=False)
        broker.release()


@pytest.fixture
def own_cluster(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cluster]:
    """A broker of the test's own, to kill and to stop."""
    monkeypatch.setenv("CLICKLIB_HOME", str(tmp_path / "home"))
    yield broker.use(progress=False)
    broker.stop()
    broker.release()


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def topic(cluster: Cluster, name: str) -> str:
    """A stream of ten partitions."""
    with TopicManager(cluster) as topics:
        return topics.ensure_stream(f"{name}-clicks").name


@pytest.fixture
def graph(topic: str, name: str) -> Graph:
    """The clicks' graph over that stream, in a group of the test's own."""
    return clicks.graph(clicks.count, name, topic)


@pytest.fixture
def emitter(cluster: Cluster, topic: str) -> Iterator[Emitter]:
    """An emitter of clicks to that stream."""
    with Emitter(cluster, topic, String()) as emitter:
        yield emitter


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A folder for local stores."""
    return tmp_path / "state"


@pytest.fixture
def click(cluster: Cluster, topic: str) -> Callable[..., Counter[str]]:
    """Emit clicks and wait for the acknowledgements; returns how many of each user."""

    def emit(count: int, users: int = 10) -> Counter[str]:
        keys = [f"user-{i % users}" for i in range(count)]
        with Emitter(cluster, topic, String()) as emitter:
            for promise in [emitter.emit(key, "now") for key in keys]:
                promise.result(30)
        return Counter(keys)

    return emit


def counts(view: View) -> dict[str, int]:
    """The table as plain numbers."""
    return {user: value.clicks for user, value in view.items()}


def wait_for_counts(view: View, wanted: Counter[str], timeout: float = 30) -> None:
    """Wait until the table holds exactly these counts."""
    wait_until(
        f"the table holds {sum(wanted.values())} clicks",
        lambda: sum(counts(view).values()) >= sum(wanted.values()),
        timeout,
    )
    assert counts(view) == dict(wanted)


def holds(view: View, wanted: Counter[str]) -> bool:
    """Whether the table has these counts, or more where clicks were counted again."""
    found = counts(view)
    return all(found.get(user, 0) >= n for user, n in wanted.items())


def wait_until_counted(view: View, wanted: Counter[str], timeout: float) -> None:
    """Wait until the table has all of these clicks."""
    wait_until("all are counted", lambda: holds(view, wanted), timeout)


class Load:
    """Emits about 500 clicks a second of 50 users until `stop`.

    `patience` is how many seconds each answer may take once it has been stopped.
    """

    def __init__(self, cluster: Cluster, topic: str, patience: float = 60) -> None:
        self.acknowledged: Counter[str] = Counter()
        self.emitted = 0
        self._patience = patience
        self._ending = threading.Event()
        self._emitter = Emitter(cluster, topic, String())
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        promises = []
        while not self._ending.wait(0.01):
            for _ in range(5):
                key = f"user-{self.emitted % 50}"
                promises.append((key, self._emitter.emit(key, "now")))
                self.emitted += 1
        for key, promise in promises:
            promise.result(self._patience)
            self.acknowledged[key] += 1
        self._emitter.close()

    def stop(self) -> Counter[str]:
        """What was acknowledged; repeatable."""
        self._ending.set()
        self._thread.join()
        return self.acknowledged


class Program:
    """A clicklib command in a process of its own."""

    def __init__(self, *args: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "clicklib", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_for(self, text: str) -> None:
        """Read what it prints until a line holds `text`."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if text in line:
                return
        raise AssertionError(f"it ended before it printed {text!r}")

    def kill(self) -> None:
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def stop(self) -> str:
        """Ctrl-C; returns what it printed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        output, _ = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, output
        return output


@pytest.fixture
def run() -> Iterator[Callable[..., Program]]:
    """Start clicklib commands; those that still run at the end are killed."""
    programs: list[Program] = []

    def start(*args: str) -> Program:
        programs.append(Program(*args))
        return programs[-1]

    yield start
    for program in programs:
        if program.process.poll() is None:
            program.kill()
