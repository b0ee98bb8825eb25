"""Places and offsets in Kafka's logs, as all clients name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kafka.structs import OffsetAndMetadata, TopicPartition

__all__ = ["Offsets", "Records", "TopicPartition", "committable"]

Offsets = Mapping[TopicPartition, int]
"""An offset for each of some partitions: the next one to read."""

Records = dict[TopicPartition, list[Any]]
"""The records that came, by partition. They are kafka-python's own, uncopied."""


def committable(offsets: Offsets) -> dict[TopicPartition, OffsetAndMetadata]:
    """What kafka-python commits for these offsets."""
    return {place: OffsetAndMetadata(offset, "", -1) for place, offset in offsets.items()}
