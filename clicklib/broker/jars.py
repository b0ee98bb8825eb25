"""The jars of a Kafka broker, as `jars.lock` beside this file pins them, and their download.

They come from Maven Central, or from the mirror that CLICKLIB_MAVEN names. As usual, `https_proxy`
names a proxy. No dependencies are resolved: only the pinned jars are fetched, and a jar is kept
only if it has the pinned hash.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from clicklib.broker.paths import jars_directory
from clicklib.client.progress_bar import new_bar, place_of_bars
from clicklib.errors import LocalBrokerError, needing

__all__ = ["Jar", "fetch", "missing", "paths", "pinned", "read_lock"]

logger = logging.getLogger("clicklib")

LOCK_FILE = Path(__file__).with_name("jars.lock")
_LINE = re.compile(r"([\w.-]+):([\w.-]+):([\w.-]+)(?::([\w.-]+))? ([0-9a-f]{64}) (\d+)")


@dataclass(frozen=True)
class Jar:
    """One jar as the lock file pins it; `size` in bytes."""

    group: str
    artifact: str
    version: str
    classifier: str
    sha256: str
    size: int

    @property
    def name(self) -> str:
        """The file's name, `artifact-version[-classifier].jar`."""
        parts = [self.artifact, self.version, self.classifier]
        return "-".join(part for part in parts if part) + ".jar"

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"

    def is_whole(self, path: Path) -> bool:
        """Whether the file at `path` has the pinned size and hash."""
        try:
            if path.stat().st_size != self.size:
                return False
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256
        except OSError:
            return False


def read_lock(text: str) -> list[Jar]:
    """The jars that a lock file names. Raises LocalBrokerError for a line it cannot read."""
    jars = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise LocalBrokerError(f"line {number} of {LOCK_FILE.name} is damaged: {line!r}")
        group, artifact, version, classifier, sha256, size = match.groups()
        jars.append(Jar(group, artifact, version, classifier or "", sha256, int(size)))
    return jars


def pinned() -> list[Jar]:
    """The jars that the package's own lock file names."""
    return read_lock(LOCK_FILE.read_text("utf-8"))


def paths() -> list[Path]:
    """Where the jars of the local Kafka are, or will be."""
    return [jars_directory() / jar.name for jar in pinned()]


def missing(jars: Sequence[Jar], directory: Path) -> list[Jar]:
    """The jars that are not whole in `directory`. Reads and hashes all: 0.1 s for 43 MB."""
    return [jar for jar in jars if not jar.is_whole(directory / jar.name)]


def fetch(directory: Path, progress: bool = True, jars: Sequence[Jar] | None = None) -> list[Path]:
    """Make sure that `directory` has every jar whole; returns the paths in the lock file's order.

    Fetches each jar that is missing or changed. If `progress`, a terminal or a notebook shows a bar
    meanwhile; elsewhere one line goes to stderr. Several processes may call it at once: one
    fetches, the others wait. Raises LocalBrokerError for a jar that cannot be fetched, or whose
    bytes were not the pinned ones, twice.
    """
    jars = pinned() if jars is None else jars
    if missing(jars, directory):
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with FileLock(directory / ".fetch.lock"):
                _fetch(missing(jars, directory), directory, progress)
        except OSError as error:
            raise LocalBrokerError(
                f"cannot keep Kafka's jars in {directory}: {error}; "
                "make room there, or name another directory in CLICKLIB_JARS"
            ) from error
    return [directory / jar.name for jar in jars]


def _fetch(jars: Sequence[Jar], directory: Path, progress: bool) -> None:
    if not jars:  # another process has fetched them
        return
    logger.info("fetching %d jars of Kafka into %s", len(jars), directory)
    mirror = _mirror()
    with _bar(sum(jar.size for jar in jars), progress) as bar:
        # One after another: four at once were no quicker (43 MB in 7 to 12 s either way).
        for jar in jars:
            _fetch_one(jar, directory, mirror, bar)
            bar.refresh()


def _mirror() -> str:
    """The repository that CLICKLIB_MAVEN names; empty for Maven Central."""
    mirror = os.environ.get("CLICKLIB_MAVEN", "").strip().rstrip("/")
    if "@" in mirror:
        raise LocalBrokerError(
            "CLICKLIB_MAVEN holds a login, which errors would show: write it to ~/.netrc instead"
        )
    return mirror


def _fetch_one(jar: Jar, directory: Path, mirror: str, bar: Any) -> None:
    """Fetch a jar and move it into place; try twice if that fails or the bytes are wrong."""
    begin = bar.n
    for last in (False, True):
        bar.update(begin - bar.n)
        with tempfile.TemporaryDirectory(dir=directory, prefix=".fetch-") as scratch:
            try:
                path = _by_jgo(jar, Path(scratch), mirror, bar)
            except ImportError:
                raise
            except Exception as error:
                if isinstance(error, OSError) and error.errno is not None:
                    raise  # an error of the disk: errors of the network have no number
                if last:
                    raise LocalBrokerError(
                        f"cannot fetch {jar} for Kafka: {error}; it comes from "
                        f"{mirror or 'Maven Central'}: check the network (or its proxy) and try "
                        "again, what has come is kept"
                    ) from error
                continue
            if jar.is_whole(path):
                os.replace(path, directory / jar.name)
                return
            found = hashlib.sha256(path.read_bytes()).hexdigest()
    raise LocalBrokerError(
        f"{jar} came twice with other bytes than pinned and was not used: SHA-256 {found}, but "
        f"jars.lock says {jar.sha256}; something between here and Maven Central changes downloads, "
        "try another network"
    )


def _by_jgo(jar: Jar, scratch: Path, mirror: str, bar: Any) -> Path:
    """Fetch a jar with jgo into a Maven repository below `scratch`."""
    with needing("clicklib.broker"):
        from jgo.maven import MavenContext, PythonResolver  # takes 0.1 s, needed only to fetch

    @contextmanager
    def report(name: str, size: int) -> Iterator[Callable[[int], Any]]:
        yield bar.update

    maven = MavenContext(
        resolver=PythonResolver(progress_callback=report),
        remote_repos={"mirror": mirror} if mirror else None,
        repo_cache=scratch,
        timeout=30,
    )
    component = maven.project(jar.group, jar.artifact).at_version(jar.version)
    return Path(component.artifact(jar.classifier).resolve())


def _bar(size: int, shown: bool) -> Any:
    """A bar of `size` bytes for a terminal or a notebook; elsewhere one line, and no bar."""
    file = place_of_bars() if shown else None
    if shown and file is None:
        sys.stderr.write(f"Fetching Apache Kafka ({round(size / 2**20)} MB)…\n")
    with needing("clicklib.broker"):
        return new_bar(file, total=size, unit="B", desc="Apache Kafka")
