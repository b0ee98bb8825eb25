"""The needs of the local Kafka: a Java, the jars, memory and disk."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from clicklib.broker.jars import fetch
from clicklib.broker.java import find_java, reads
from clicklib.broker.paths import home, jars_directory, patience
from clicklib.errors import LocalBrokerError

__all__ = ["disk", "meet", "memory", "name_that_fits"]

_MEMORY = 400 << 20  # bytes for each node: 150 MB at the start, up to 256 MB of heap, Java itself
_DISK = 500 << 20  # bytes
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


def memory(nodes: int = 1) -> str:
    """How much memory is free. Raises LocalBrokerError if it is not enough for so many nodes."""
    free, needed = psutil.virtual_memory().available, _MEMORY * nodes
    if free < needed:
        raise LocalBrokerError(
            f"not enough memory for the local Kafka: {free >> 20} MB are free, and {nodes} "
            f"node(s) need {needed >> 20} MB; close other programs (each open notebook's "
            "kernel is one), or set CLICKLIB_BROKERS to a Kafka elsewhere"
        )
    return f"{free >> 20} MB free"


def disk(directory: Path) -> str:
    """How much disk is free below `directory`. Raises LocalBrokerError if it is not enough."""
    free = psutil.disk_usage(str(directory)).free
    if free < _DISK:
        raise LocalBrokerError(
            f"not enough disk for the local Kafka: {free >> 20} MB are free in {directory}, and "
            f"it needs {_DISK >> 20} MB; make room, or name another directory in CLICKLIB_HOME"
        )
    return f"{free >> 20} MB free"


def meet(nodes: int, directory: Path, progress: bool) -> None:
    """Fetch the jars, and raise LocalBrokerError that names any other need that is not met."""
    find_java()
    patience()
    name_that_fits(home(), jars_directory())
    fetch(jars_directory(), progress)
    memory(nodes)
    disk(directory)
