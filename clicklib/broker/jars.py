"""The jars of a Kafka broker: fetched by their Maven coordinates, checked by SHA-256.

`jars.lock` beside this file pins each jar. Nothing is resolved at run time: only what the lock
file names is fetched, and only bytes of the pinned hash are ever given to Java.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from clicklib.errors import LocalBrokerError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Fetcher", "Jar", "by_jgo", "fetch", "missing", "pinned", "read_lock"]

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

    def is_whole(self, path: Path) -> bool:
        """Whether the file at `path` has the pinned size and hash."""
        try:
            if path.stat().st_size != self.size:
                return False
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256
        except OSError:
            return False


Advance = Callable[[int], Any]
"""Called with the number of bytes that came since the last call."""

Fetcher = Callable[[Jar, Path, Advance], Path]
"""Fetches one jar below a directory and returns where it put it."""


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


def missing(jars: Sequence[Jar], directory: Path) -> list[Jar]:
    """The jars that are not whole in `directory`. Reads and hashes all: 0.1 s for 43 MB."""
    return [jar for jar in jars if not jar.is_whole(directory / jar.name)]


def fetch(
    directory: Path,
    progress: bool = True,
    jars: Sequence[Jar] | None = None,
    fetcher: Fetcher | None = None,
) -> list[Path]:
    """Make sure that every jar is in `directory` and whole; their paths, in the lock's order.

    What is missing or changed is fetched, with a progress bar on stderr (or in the notebook) if
    `progress`. Several processes may do so at once: one fetches, the others wait. Raises
    LocalBrokerError for a jar that cannot be fetched, or that twice had other bytes than pinned.
    """
    jars = pinned() if jars is None else jars
    if missing(jars, directory):
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with FileLock(directory / ".fetch.lock"):
                _fetch_missing(missing(jars, directory), directory, progress, fetcher or by_jgo)
        except OSError as error:
            raise LocalBrokerError(
                f"cannot keep Kafka's jars in {directory}: {error}; "
                "make room there, or name another directory in CLICKLIB_JARS"
            ) from error
    return [directory / jar.name for jar in jars]


def _fetch_missing(jars: Sequence[Jar], directory: Path, progress: bool, fetcher: Fetcher) -> None:
    if not jars:
        return
    logger.info("fetching %d jars of Kafka into %s", len(jars), directory)
    with (
        tempfile.TemporaryDirectory(dir=directory, prefix=".fetch-") as scratch,
        _progress_bar(sum(jar.size for jar in jars), progress) as advance,
    ):
        # One after another: four at once were no quicker (43 MB in 7 to 12 s either way).
        for jar in jars:
            _fetch_one(jar, directory, Path(scratch) / "maven", advance, fetcher)


def _fetch_one(
    jar: Jar, directory: Path, scratch: Path, advance: Advance, fetcher: Fetcher
) -> None:
    """Fetch a jar, once more if its bytes are wrong, and move it into place whole."""
    coordinates = f"{jar.group}:{jar.artifact}:{jar.version}"
    for _ in range(2):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        try:
            path = fetcher(jar, scratch, advance)
        except Exception as error:
            raise LocalBrokerError(
                f"cannot fetch {coordinates} for Kafka: {error}; it comes from Maven Central: "
                "check the network (or its proxy) and try again, what has come is kept"
            ) from error
        if jar.is_whole(path):
            os.replace(path, directory / jar.name)
            return
        logger.warning("%s came with other bytes than pinned", coordinates)
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    raise LocalBrokerError(
        f"{coordinates} came twice with other bytes than pinned and was not used: SHA-256 "
        f"{found}, but {LOCK_FILE.name} says {jar.sha256}; something between here and Maven "
        "Central changes downloads, try another network"
    )


def by_jgo(jar: Jar, scratch: Path, advance: Advance) -> Path:
    """Fetch a jar from Maven Central with jgo into a Maven repository below `scratch`."""
    from jgo.maven import MavenContext, PythonResolver  # 0.1 s, needed only to fetch

    @contextmanager
    def report(name: str, size: int) -> Iterator[Advance]:
        yield advance

    maven = MavenContext(
        resolver=PythonResolver(progress_callback=report), repo_cache=scratch, timeout=30
    )
    component = maven.project(jar.group, jar.artifact).at_version(jar.version)
    return Path(component.artifact(jar.classifier).resolve())


@contextmanager
def _progress_bar(size: int, shown: bool) -> Iterator[Advance]:
    if not shown:
        yield lambda count: None
        return
    from tqdm.auto import tqdm  # loads the notebook's widgets where there are some

    class Bar(tqdm):
        monitor_interval = 0  # else tqdm leaves a thread behind

    with Bar(total=size, unit="B", unit_scale=True, desc="Apache Kafka", leave=False) as bar:
        yield bar.update
