"""The brokers of the local Kafka as processes, to be killed in a lesson."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from filelock import FileLock

from clicklib import broker
from clicklib.client.cluster import Brokers, Cluster
from clicklib.errors import LocalBrokerError, UsageError
from clicklib.given import check
from clicklib.lessons.waiting import wait_until

__all__ = ["broker_processes", "harmed_broker", "kill_broker"]


def kill_broker(cluster: Brokers, number: int) -> int:
    """Kill a broker of the local Kafka with signal 9, and return the id of its process.

    The keeper of the local Kafka starts the broker again after some seconds. Three brokers do not
    go on without two of them. So if another notebook has just killed one, this call waits until all
    run again. Raises LocalBrokerError if the brokers of `cluster` do not run on this machine.
    """
    cluster = Cluster.of(cluster)
    check(number=number)
    with harmed_broker(cluster, number) as process:
        process.kill()
        process.wait(10)
    return process.pid


@contextmanager
def harmed_broker(cluster: Cluster, number: int) -> Iterator[psutil.Process]:
    """The process of a broker that runs, to be harmed: meanwhile no other program harms one.

    Raises LocalBrokerError if the brokers of `cluster` do not run on this machine.
    """
    local = [each for each in broker.status() if set(each.addresses) == set(cluster.addresses)]
    if not local:
        raise LocalBrokerError(
            f"broker {number} of {cluster} is no program of this machine, so it cannot be harmed "
            "here: unset CLICKLIB_BROKERS to use the local Kafka"
        )
    with FileLock(local[0].directory / "kill.lock", thread_local=False):
        nodes = wait_until("all brokers run", lambda: broker_processes(cluster), timeout=60)
        if number not in nodes:
            raise UsageError(f"number is that of a broker, 1 to {len(nodes)}, not {number}")
        yield nodes[number]


def broker_processes(cluster: Cluster) -> dict[int, psutil.Process]:
    """The processes of the brokers by their numbers, or nothing if one does not listen yet."""
    nodes = {}
    for status in broker.status():
        for pid in status.java if set(status.addresses) == set(cluster.addresses) else ():
            try:
                process = psutil.Process(pid)
                folder = Path(process.cwd()).name  # a broker works in a folder of its own
                ports = {each.laddr.port for each in process.net_connections("tcp")}
            except (psutil.Error, IndexError):
                return {}
            number = int(folder.removeprefix("node-"))
            if int(cluster.addresses[number - 1].rpartition(":")[2]) not in ports:
                return {}
            nodes[number] = process
    return nodes if len(nodes) == len(cluster.addresses) else {}
