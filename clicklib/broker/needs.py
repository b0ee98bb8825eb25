"""The needs of the local Kafka: a Java, the jars, memory and disk."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from clicklib.broker.download import fetch
from clicklib.broker.java import find_java, reads
from clicklib.broker.paths import home, jars_directory, patience
from clicklib.errors import LocalBrokerError

__all__ = ["DISK", "MEMORY", "meet", "name_that_fits"]

MEMORY = 400 << 20
"""Bytes for each node: 150 MB at the start, a heap of up to 256 MB, and Java itself."""

DISK = 500 << 20
"""Bytes."""

_LONGEST_NAME = 350  # bytes of the longest name below a home: a topic's folder and a file in it


def name_that_fits(home: Path, jars: Path) -> None:
    """Raise LocalBrokerError if Java cannot keep data below `home` or load `jars`."""
    for variable, path in (("CLICKLIB_HOME", home), ("CLICKLIB_JARS", jars)):
        why = ""
        if not reads(path):
            why = "it is not UTF-8, or this system has no locale of UTF-8"
        elif os.name == "posix" and len(os.fsencode(path)) + _LONGEST_NAME > _longest_path():
            why = f"it is too long, the system takes paths of {_longest_path()} bytes"
        elif (
            variable == "CLICKLIB_JARS"
            and os.pathsep in str(path)
            and not path.is_relative_to(home)
        ):
            why = f"Java would take the {os.pathsep!r} in it for the end of a path"
        if why:
            shown = str(path).encode(errors="backslashreplace").decode()
            raise LocalBrokerError(
                f"Kafka cannot use the path {shown}: {why}; name another in {variable}"
            )


def _longest_path() -> int:
    return os.pathconf("/", "PC_PATH_MAX")


def meet(nodes: int, directory: Path, progress: bool) -> None:
    """Fetch the jars, and raise LocalBrokerError that names any other need that is not met."""
    find_java()
    patience()
    name_that_fits(home(), jars_directory())
    fetch(jars_directory(), progress)
    memory, disk = psutil.virtual_memory().available, psutil.disk_usage(str(directory)).free
    if memory < MEMORY * nodes:
        raise LocalBrokerError(
            f"not enough memory for the local Kafka: {memory >> 20} MB are free, and {nodes} "
            f"node(s) need {MEMORY * nodes >> 20} MB; close other programs (each open notebook's "
            "kernel is one), or set CLICKLIB_BROKERS to a Kafka elsewhere"
        )
    if disk < DISK:
        raise LocalBrokerError(
            f"not enough disk for the local Kafka: {disk >> 20} MB are free in {directory}, and "
            f"it needs {DISK >> 20} MB; make room, or name another directory in CLICKLIB_HOME"
        )
