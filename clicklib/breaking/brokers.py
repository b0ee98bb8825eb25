"""A broker of the local Kafka that can be broken."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from clicklib.breaking.faults import AGAIN, fault
from clicklib.broker.node import kept_down
from clicklib.client.cluster import Cluster
from clicklib.lessons import wait_until
from clicklib.lessons.brokers import broker_processes, harmed_broker
from clicklib.lessons.programs import at_kernels_end

__all__ = ["BreakableBroker"]


class BreakableBroker:
    """Broker `number` of a cluster. A fault raises LocalBrokerError if it runs elsewhere."""

    kind = "broker"
    state = ""  # the panel does not ask the cluster; a ClusterMap does

    def __init__(self, cluster: Cluster, number: int) -> None:
        self._cluster, self._number = cluster, number
        self._ends = ExitStack()

    def impossible(self, fault: str) -> str:
        """Why this fault cannot be caused now; empty if it can."""
        return ""

    @fault("Kill the broker", "killed", 6, AGAIN)
    def kill(self) -> None:
        """Clicks wait for some seconds. Then other brokers lead its partitions. Started again,
        it copies what it has missed."""
        process = self._ends.enter_context(harmed_broker(self._cluster, self._number))
        self._ends.callback(
            wait_until, "the broker runs again", lambda: broker_processes(self._cluster), timeout=60
        )
        self._ends.enter_context(kept_down(Path(process.cwd())))
        process.kill()
        process.wait(10)

    @fault("Suspend the broker", "suspended", 6, "Resume now")
    def suspend(self) -> None:
        """It is silent. After 1.5 seconds the cluster treats it as dead, and other brokers lead its
        partitions. When it wakes up, it learns this, and copies what it has missed."""
        process = self._ends.enter_context(harmed_broker(self._cluster, self._number))
        at_kernels_end("resume", process.pid)
        self._ends.callback(process.resume)
        process.suspend()

    def heal(self) -> None:
        """Resume it, or start it again and wait until it runs."""
        self._ends.close()
