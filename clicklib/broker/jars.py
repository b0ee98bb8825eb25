"""The jars of a Kafka broker: fetched by their Maven coordinates, checked by SHA-256.

`jars.lock` beside this file pins each jar. Nothing is resolved at run time: only what the lock
file names is fetched, and Java gets only bytes of the pinned hash. The jars come from Maven
Central, or from the mirror whose address CLICKLIB_MAVEN holds; a proxy is named as usual, by
`https_proxy`.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from clicklib.errors import LocalBrokerError
from clicklib.packages import needing

__all__ = ["Jar", "fetch", "missing", "pinned", "read_lock"]

logger = logging.getLogger("clicklib")

LOCK_FILE = Path(__file__).with_name("jars.lock")
_CENTRAL = "https://maven.invalid/maven2"
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

    @property
    def path(self) -> str:
        """Where the jar is below the base address of a Maven repository."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.name}"

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


def missing(jars: Sequence[Jar], directory: Path) -> list[Jar]:
    """The jars that are not whole in `directory`. Reads and hashes all: 0.1 s for 43 MB."""
    return [jar for jar in jars if not jar.is_whole(directory / jar.name)]


def fetch(directory: Path, progress: bool = True, jars: Sequence[Jar] | None = None) -> list[Path]:
    """Make sure that every jar is in `directory` and whole; their paths, in the lock's order.

    Fetches each jar that is missing or changed. If `progress`, a terminal or a notebook shows a bar
    meanwhile, and a log gets one line, on stderr. Several processes may call it at once: one
    fetches, the others wait. Raises LocalBrokerError for a jar that cannot be fetched, or that
    twice had other bytes than pinned.
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
    with needing("clicklib.broker"):
        import pooch  # only where something is fetched

    logger.info("fetching %d jars of Kafka into %s", len(jars), directory)
    pooch.get_logger().setLevel(logging.WARNING)  # it would write two lines a jar to stderr
    base = _base()
    source = pooch.create(
        path=directory,
        base_url=base,
        registry={jar.name: f"sha256:{jar.sha256}" for jar in jars},
        urls={jar.name: f"{base}/{jar.path}" for jar in jars},
        retry_if_failed=1,
    )
    with _bar(sum(jar.size for jar in jars), progress) as bar:
        # One after another: four at once were no quicker (43 MB in 7 to 12 s either way).
        for jar in jars:
            _fetch_one(jar, source, bar)


def _base() -> str:
    """The base address that the jars come from, without a slash at its end."""
    mirror = os.environ.get("CLICKLIB_MAVEN", "").strip().rstrip("/")
    if "@" in mirror:
        raise LocalBrokerError(
            "CLICKLIB_MAVEN holds a login, which errors would show: write it to ~/.netrc instead"
        )
    return mirror or _CENTRAL


def _fetch_one(jar: Jar, source: Any, bar: Any) -> None:
    """Fetch a jar, once more if that fails or its bytes are wrong, and move it into place whole."""
    import pooch

    part = _Part(bar)
    download = pooch.HTTPDownloader(progressbar=part, chunk_size=64 << 10, timeout=30)

    def begin(url: str, file: str, source: Any) -> None:
        part.reset()
        os.unlink(file)  # pooch made it for this account alone; others may share the directory
        download(url, file, source)

    try:
        source.fetch(jar.name, downloader=begin)
    except OSError as error:
        if error.errno is not None:  # of the disk: what requests raises has no number
            raise
        place = "Maven Central" if source.base_url.startswith(_CENTRAL) else source.base_url
        raise LocalBrokerError(
            f"cannot fetch {jar} for Kafka: {error}; it comes from {place}: check the network "
            "(or its proxy) and try again, what has come is kept"
        ) from error
    except ValueError as error:
        hashes, *_ = str(error).split(". ")
        raise LocalBrokerError(
            f"{jar} came twice with other bytes than pinned and was not used: {hashes}; something "
            "between here and Maven Central changes downloads, try another network"
        ) from error


def _bar(size: int, shown: bool) -> Any:
    """A bar of so many bytes for a terminal or a notebook; elsewhere one line, and no bar."""
    with needing("clicklib.broker"):
        from tqdm.auto import tqdm  # loads the notebook's widgets where there are some
        from tqdm.notebook import tqdm_notebook

    class Bar(tqdm):
        monitor_interval = 0  # else tqdm leaves a thread behind

    drawn = shown and (issubclass(tqdm, tqdm_notebook) or sys.stderr.isatty())
    if shown and not drawn:
        sys.stderr.write(f"Fetching Apache Kafka ({round(size / 2**20)} MB)…\n")
    return Bar(
        total=size, unit="B", unit_scale=True, desc="Apache Kafka", leave=False, disable=not drawn
    )


class _Part:
    """The part of one jar in the bar of all, moved as pooch moves a bar."""

    total = 0  # set by pooch

    def __init__(self, bar: Any) -> None:
        self._bar, self._begin = bar, bar.n

    def update(self, count: int) -> None:
        self._bar.update(count)

    def reset(self) -> None:
        self._bar.update(self._begin - self._bar.n)

    def close(self) -> None: ...
