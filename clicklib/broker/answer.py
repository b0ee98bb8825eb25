"""Asks a broker for the brokers of its cluster: a broker that can be used is among them.

A broker opens its port before it can be used. It names itself in the answer to a Metadata request
only after the controller has accepted it.
"""

from __future__ import annotations

import socket
import struct
from typing import BinaryIO

__all__ = ["count_nodes"]


def count_nodes(address: str, cluster: str, timeout: float = 1.0) -> int:
    """How many brokers the broker at `address` knows; 0 if none of `cluster` answers there.

    The cluster's id shows whether another Kafka has taken the port.
    """
    host, _, port = address.rpartition(":")
    request = struct.pack(">hhihi?", 3, 7, 1, -1, 0, False)  # Metadata, version 7, no topics
    try:
        with socket.create_connection((host, int(port)), timeout) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            with connection.makefile("rb") as answer:
                return _read_metadata(answer, cluster)
    except (OSError, struct.error):
        return 0


def _read_metadata(answer: BinaryIO, cluster: str) -> int:
    """Read a Metadata response up to the cluster's id. Raises struct.error for other bytes."""

    def number(form: str) -> int:
        return int(struct.unpack(form, answer.read(struct.calcsize(form)))[0])

    def text() -> bytes:
        return answer.read(max(0, number(">h")))

    _, correlation, _, brokers = (number(">i") for _ in range(4))
    if correlation != 1:
        return 0
    for _ in range(brokers):
        number(">i"), text(), number(">i"), text()  # id, host, port, rack
    return brokers if text() == cluster.encode() else 0
