"""A port for a program that a notebook starts."""

from __future__ import annotations

import socket

from clicklib.broker.ports import LOOPBACK, Ports
from clicklib.errors import LocalBrokerError
from clicklib.given import check

__all__ = ["free_port"]

_reserved = Ports(1)


def free_port(wanted: int) -> int:
    """`wanted`, if this port of this machine is free; else another port that is free.

    `wanted` is then reserved for this kernel, so that two kernels that ask at the same time get two
    ports. The next call gives the reservation up.
    """
    check(wanted=wanted)
    try:
        return _reserved.choose(wanted, None)
    except LocalBrokerError:
        with socket.create_server((LOOPBACK, 0)) as server:
            return int(server.getsockname()[1])
