"""The settings of a processor, as its threads need them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clicklib.client.cluster import Cluster
from clicklib.graph import Graph
from clicklib.table import Updated

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """The settings of a processor. Times are in seconds."""

    cluster: Cluster
    graph: Graph
    start: str
    commit_interval: float
    session_timeout: float
    max_poll_interval: float
    connect_timeout: float
    on_rebalance: Callable[[tuple[int, ...]], None] | None
    updated: Updated | None
