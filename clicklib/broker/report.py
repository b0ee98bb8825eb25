"""The report on the local Kafka: whether it runs, where, for whom, and how large it is."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import psutil

from clicklib.broker.place import Place

__all__ = ["Status", "status"]


@dataclass(frozen=True)
class Status:
    """One local cluster as it is now.

    `size` (of its directory) and `memory` (resident, all nodes) are in bytes; `users` and `java`
    are process ids, `keeper` is one or None. `open_at` is where others log in, if they can.
    """

    nodes: int
    running: bool
    addresses: tuple[str, ...]
    stays: bool
    users: tuple[int, ...]
    keeper: int | None
    java: tuple[int, ...]
    memory: int
    directory: Path
    size: int
    open_at: str = ""


def status() -> list[Status]:
    """Each local cluster that was ever started here, by its number of nodes."""
    return [_status(place) for place in Place.all()]


def _status(place: Place) -> Status:
    with place.gate():
        users = place.sweep()
    notice = place.read()
    kept = notice if notice is not None and notice.is_kept() else None
    memory = 0
    for pid in kept.java if kept else ():
        with contextlib.suppress(psutil.Error):
            memory += psutil.Process(pid).memory_info().rss
    return Status(
        nodes=place.nodes,
        running=kept is not None and kept.answers(),
        addresses=kept.addresses if kept else (),
        stays=place.stays.exists(),
        users=tuple(users),
        keeper=kept.keeper.pid if kept else None,
        java=kept.java if kept else (),
        memory=memory,
        directory=place.directory,
        size=place.size(),
        open_at=kept.open_at if kept else "",
    )
