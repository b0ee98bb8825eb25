"""The brokers of the local Kafka as processes, to be killed in a lesson."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil

from clicklib import broker
from clicklib.client.cluster import Cluster
from clicklib.errors import LocalBrokerError

__all__ = ["kill_broker"]


def kill_broker(cluster: Cluster, number: int) -> int:
    """Kill a broker of the local Kafka with signal 9, and return the id of its process.

    The keeper of the local Kafka starts the broker again after some seconds. Raises
    LocalBrokerError if the brokers of `cluster` do not run on this machine.
    """
    java = [
        pid
        for status in broker.status()
        if set(status.addresses) == set(cluster.addresses)
        for pid in status.java
    ]
    for pid in java:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            # Java's last argument is the file of settings in the folder of the broker.
            if Path(process.cmdline()[-1]).parent.name == f"node-{number}":
                process.kill()
                return pid
    raise LocalBrokerError(
        f"broker {number} of {cluster} is no program of this machine, so it cannot be killed here: "
        "unset CLICKLIB_BROKERS to use the local Kafka"
    )
