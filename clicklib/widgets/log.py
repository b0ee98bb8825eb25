"""The log of a topic: its records and holes, as they are in Kafka."""

from __future__ import annotations

from typing import Any

from clicklib.client.cluster import Brokers, Cluster
from clicklib.client.logs import Logs, PartitionLog
from clicklib.given import check
from clicklib.widgets.picture import Picture, asset
from clicklib.widgets.text import readable
from clicklib.widgets.watch import Watch

__all__ = ["LogView"]


class LogView(Picture):
    """The newest records of each partition of a topic, and where its log begins and ends.

    The last `depth` offsets of each partition are read again every second. So compaction can be
    seen: it leaves holes between the records. At most `limit` records and holes are shown.
    """

    _esm = asset("log.js")

    def __init__(self, brokers: Brokers, topic: str, *, depth: int = 100, limit: int = 12) -> None:
        check(topic=topic, depth=depth, limit=limit)
        cluster = Cluster.of(brokers)
        self.topic, self._limit = topic, limit
        self._watch: Watch[Logs, list[PartitionLog]] = Watch(
            f"clicklib reads {topic}",
            lambda: Logs(cluster, topic, timeout=3.0),
            lambda logs: logs.newest(depth),
            every=1.0,
        )
        super().__init__()

    def look(self) -> dict[str, Any]:
        return {
            "topic": self.topic,
            "error": self._watch.error,
            "partitions": [self._partition(each) for each in self._watch.latest() or ()],
        }

    def _partition(self, log: PartitionLog) -> dict[str, Any]:
        # A hole at the first offset that was read may begin before that offset.
        entries: list[tuple[int, dict[str, Any]]] = [
            (first, {"hole": count, "offset": first, "open": first == log.read_from > log.begin})
            for first, count in log.holes
        ]
        for record in log.records[-self._limit :]:
            value = None if record.value is None else _text(record.value)
            entry = {"offset": record.offset, "key": readable(record.key, 60), "value": value}
            entries.append((record.offset, entry))
        entries.sort(key=lambda entry: entry[0])
        return {
            "partition": log.partition,
            "begin": log.begin,
            "end": log.end,
            "entries": [entry for _, entry in entries[-self._limit :]],
        }


def _text(value: bytes) -> str:
    return readable(value[:400].decode("utf-8", "surrogateescape"), 120)
