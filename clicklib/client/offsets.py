"""Partitions, offsets and records, in the types that all clients use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kafka.structs import OffsetAndMetadata, TopicPartition

__all__ = ["Offsets", "Records", "TopicPartition", "committable"]

Offsets = Mapping[TopicPartition, int]
"""For each of some partitions, the offset to read next."""

Records = dict[TopicPartition, list[Any]]
"""Records by partition. They are kafka-python's own objects, not copies."""


def committable(offsets: Offsets) -> dict[TopicPartition, OffsetAndMetadata]:
    """These offsets, in the form that kafka-python commits."""
    return {place: OffsetAndMetadata(offset, "", -1) for place, offset in offsets.items()}
