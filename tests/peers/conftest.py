"""A Goka program (`goka/` beside this file) over the broker that the Kafka tests use."""

from __future__ import annotations

import json
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from clicklib import Cluster
from clicklib.keys import decode_key, encode_key
from tests.kafka.conftest import click, cluster, graph, name, pytest_configure, run, state, topic

__all__ = ["click", "cluster", "graph", "name", "pytest_configure", "run", "state", "topic"]

_SOURCE = Path(__file__).parent / "goka"


def _find_go() -> str | None:
    """`go` on the PATH, or where Go's own installer and Debian put it."""
    usual = ["/usr/local/go/bin/go", *map(str, sorted(Path("/usr/lib").glob("go*/bin/go")))]
    return shutil.which("go") or next((path for path in usual if Path(path).exists()), None)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Goka program, built once; all but the first time from Go's build cache."""
    go = _find_go()
    if go is None:
        pytest.skip("no Go: install Go 1.25 or newer to test beside Goka")
    path = tmp_path_factory.mktemp("goka") / "peer"
    command = [go, "build", "-mod=readonly", "-buildvcs=false", "-o", str(path), "."]
    built = subprocess.run(command, cwd=_SOURCE, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return path


class Running:
    """A command of the Goka program, in a process of its own, that prints into a file."""

    def __init__(self, command: list[str], output: Path) -> None:
        self._output, self._log = output, output.with_suffix(".log")
        with output.open("w") as out, self._log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=out, stderr=log)

    @property
    def printed(self) -> list[dict[str, Any]]:
        """What it has printed so far, by line."""
        whole, _, _ = self._output.read_text("utf-8").rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    @property
    def partitions(self) -> list[int]:
        """What a processor was assigned last."""
        assigned = [line["partitions"] for line in self.printed if "partitions" in line]
        return assigned[-1] if assigned else []

    def wait(self) -> dict[str, Any]:
        """Wait for its end, which must be a good one; the last line that it printed."""
        code = self.process.wait(timeout=60)
        assert code == 0, self._log.read_text("utf-8")
        return self.printed[-1]

    def stop(self) -> dict[str, Any]:
        """End it in order; the last line that it printed."""
        self.process.terminate()
        return self.wait()

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()


class Goka:
    """Emitters, processors and views of Goka over the broker of this run."""

    def __init__(self, program: Path, cluster: Cluster, folder: Path) -> None:
        self._command = [str(program)], ["-brokers", str(cluster), "-acks", "all"]
        self._folder, self._numbers = folder, count()
        self.started: list[Running] = []

    def start(self, command: str, *flags: object) -> Running:
        """Start a command."""
        output = self._folder / f"{command}-{next(self._numbers)}.out"
        program, settings = self._command
        self.started.append(
            Running([*program, command, *settings, *map(str, flags)], self._folder / output)
        )
        return self.started[-1]

    def emit(self, topic: str, messages: Iterable[tuple[str, str | None]]) -> None:
        """Emit these keys and texts; a text of None is a tombstone."""
        lines = [
            json.dumps({"Key": b64encode(encode_key(key)).decode(), "Value": text})
            for key, text in messages
        ]
        program, settings = self._command
        ended = subprocess.run(
            [*program, "emitter", *settings, "-topic", topic, "-stdin"],
            input="\n".join(lines).encode(),
            stdout=subprocess.PIPE,
            check=True,
            timeout=60,
        )
        assert json.loads(ended.stdout) == {"emitted": len(lines)}

    def table(self, table: str) -> dict[str, int]:
        """The clicks of each user, as a view of Goka's has them once it has caught up."""
        view = self.start("view", "-table", table)
        view.wait()
        return {decode_key(b64decode(row["Key"])): row["Value"]["Clicks"] for row in view.printed}


@pytest.fixture
def goka(program: Path, cluster: Cluster, tmp_path: Path) -> Iterator[Goka]:
    """Goka's commands; those that still run at the end are killed."""
    goka = Goka(program, cluster, tmp_path)
    yield goka
    for running in goka.started:
        if running.process.poll() is None:
            running.kill()


def clicks_of(emitted: int, users: int) -> Counter[str]:
    """How often each user clicked, when `users` clicked in turn."""
    return Counter(f"user-{i % users}" for i in range(emitted))
