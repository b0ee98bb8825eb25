"""Ports of the loopback address for the nodes of a local Kafka."""

from __future__ import annotations

import ipaddress
import socket
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

from clicklib.errors import LocalBrokerError

__all__ = ["LOOPBACK", "Ports", "check_open", "is_free"]

LOOPBACK = "127.0.0.1"
_FIRST, _LAST = 9092, 11_092  # systems give higher ports to outgoing connections


class Ports:
    """A row of `count` ports that this process reserves; keepers of other homes take others.

    A free port may belong to a broker that is just being restarted. So each keeper holds a lock for
    each of its ports, in the machine's directory for temporary files.
    """

    def __init__(self, count: int, directory: Path | None = None) -> None:
        self.count = count
        self.directory = directory or Path(tempfile.gettempdir()) / "clicklib-ports"
        self._locks: list[FileLock] = []

    def choose(self, wanted: int | None, last: int | None) -> int:
        """Take a row, and return its first port: `wanted`, else `last`, else one from 9092 on.

        Releases the row that it took before. Raises LocalBrokerError if `wanted` or a port of its
        row is taken, or if no row is free.
        """
        self.release()
        if wanted is not None:
            taken = self._take(wanted)
            if taken is not None:
                raise LocalBrokerError(
                    f"port {taken} is taken by another program (or not allowed); the local Kafka "
                    f"needs the {self.count} ports from {wanted} on: stop that program, or give "
                    "another port, or none to have a free one found"
                )
            return wanted
        for first in [*([last] if last else []), *range(_FIRST, _LAST, 10)]:
            if self._take(first) is None:
                return first
        raise LocalBrokerError(
            f"no {self.count} free ports in a row from {_FIRST} to {_LAST} on {LOOPBACK}; "
            "stop what uses them, or give a port"
        )

    def release(self) -> None:
        """Give up the reservation."""
        while self._locks:
            self._locks.pop().release()

    def _take(self, first: int) -> int | None:
        """Take the row from `first` on; if a port in it is taken, return that port instead."""
        for port in range(first, first + self.count):
            if not (self._lock(port) and is_free(port)):
                self.release()
                return port
        return None

    def _lock(self, port: int) -> bool:
        try:
            self.directory.mkdir(exist_ok=True)
            lock = FileLock(self.directory / f"{port}.lock", thread_local=False)
            lock.acquire(timeout=0)
        except Timeout:
            return False
        except OSError:  # the directory is another account's: go on without a lock
            return True
        self._locks.append(lock)
        return True


def is_free(port: int) -> bool:
    """Whether this process may listen on a port of the loopback address."""
    if not 0 < port < 65536:
        return False
    with socket.socket() as probe:
        probe.settimeout(0.5)
        if probe.connect_ex((LOOPBACK, port)) == 0:
            return False
    try:
        socket.create_server((LOOPBACK, port)).close()
    except OSError:
        return False
    return True


def check_open(address: str) -> None:
    """Raise LocalBrokerError unless a broker can be open at `address`, 'host:port'.

    Clients are told this address, so it is one of this machine and not all of them.
    """
    host, _, text = address.rpartition(":")
    try:
        port = int(text)
        if not 0 < port < 65_536:  # some systems take the remainder
            raise ValueError("ports go from 1 to 65535")
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        family, _, _, _, where = found[0]
        if ipaddress.ip_address(where[0]).is_unspecified:
            raise ValueError(f"{host} stands for all addresses")
        socket.create_server(where, family=family).close()
    except (OSError, ValueError, OverflowError) as error:
        raise LocalBrokerError(
            f"Kafka cannot be open at {address}: {error}; name an address of this machine that the "
            "others reach, and a port that is free"
        ) from error
