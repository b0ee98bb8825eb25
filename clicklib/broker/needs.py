"""The needs of the local Kafka: a Java, the jars, memory and disk."""

from __future__ import annotations

from pathlib import Path

import psutil

from clicklib.broker.download import fetch
from clicklib.broker.java import find_java
from clicklib.broker.paths import jars_directory
from clicklib.errors import LocalBrokerError

__all__ = ["DISK", "MEMORY", "meet"]

MEMORY = 400 << 20
"""Bytes for each node: 150 MB at the start, a heap of up to 256 MB, and Java itself."""

DISK = 500 << 20
"""Bytes."""


def meet(nodes: int, directory: Path, progress: bool) -> None:
    """Fetch the jars, and raise LocalBrokerError that names any other need that is not met."""
    find_java()
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
