"""A port for a program that a notebook starts."""

from __future__ import annotations

import socket

from clicklib.broker.ports import LOOPBACK, is_free

__all__ = ["free_port"]


def free_port(wanted: int) -> int:
    """`wanted`, if nothing listens on this port of this machine; else a port that is free."""
    if is_free(wanted):
        return wanted
    with socket.create_server((LOOPBACK, 0)) as server:
        port: int = server.getsockname()[1]
        return port
