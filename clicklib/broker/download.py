"""The download of Kafka's jars from Maven Central, or from the mirror that CLICKLIB_MAVEN names.

It resolves no dependencies: it fetches only the pinned jars, and keeps a jar only if it has the
pinned hash. As usual, `https_proxy` names a proxy.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from clicklib.broker.jars import Jar, missing, pinned
from clicklib.client.bar import new_bar, place_of_bars
from clicklib.errors import LocalBrokerError, needing

__all__ = ["fetch"]

logger = logging.getLogger("clicklib")


def fetch(directory: Path, progress: bool = True, jars: Sequence[Jar] | None = None) -> list[Path]:
    """Make sure that `directory` has every jar whole; returns the paths in the lock file's order.

    Fetches each jar that is missing or changed. If `progress`, a terminal or a notebook shows a bar
    meanwhile; elsewhere one line goes to stderr. Several processes may call it at once: one
    fetches, the others wait. Raises LocalBrokerError for a jar that cannot be fetched, or that
    twice did not have the pinned bytes.
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
