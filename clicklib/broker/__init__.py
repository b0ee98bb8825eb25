"""The Kafka of this machine."""

from clicklib.broker.local import (
    Status,
    fetch,
    home,
    logs,
    release,
    start,
    status,
    stop,
    use,
    wipe,
)

__all__ = [
    "Status",
    "fetch",
    "home",
    "logs",
    "release",
    "start",
    "status",
    "stop",
    "use",
    "wipe",
]
