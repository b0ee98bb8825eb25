"""The connections of a client: kafka-python's, repaired, and with a check before each send."""

from __future__ import annotations

import logging
import math
import ssl
import time
from collections.abc import Callable
from typing import Any

import kafka.errors
from kafka.net.manager import KafkaConnectionManager

from clicklib.client.limit import allowed, gives_up, time_left
from clicklib.errors import OUT_OF_FILES, is_out_of_files

__all__ = ["Connections", "is_refusal"]

logger = logging.getLogger("clicklib")

_REFUSALS = (
    kafka.errors.SaslAuthenticationFailedError,
    kafka.errors.UnsupportedSaslMechanismError,
)
_LOOK = 0.1  # seconds between two looks whether anybody still waits for an answer
# These errors come when a broker stops in the middle of a handshake.
_BROKEN_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


def is_refusal(error: BaseException) -> bool:
    """Whether every further attempt would fail.

    A login or a certificate was refused, or this program may open no more files.
    """
    inner = [error, error.__context__, *error.args]
    return (
        isinstance(error, _REFUSALS)
        or is_out_of_files(error)
        or any(isinstance(e, ssl.SSLError) and not isinstance(e, _BROKEN_OFF) for e in inner)
    )


class Connections(KafkaConnectionManager):
    """kafka-python's manager of connections, for one client.

    A call waits for an answer no longer than `within` and `until` allow.

    It keeps the reason why the last connection failed. While `gives_up` is set, it does not try
    again after a refusal. `connect` clears `gives_up` when the client is connected: from then on it
    tries again after every error.
    """

    cluster: Any
    broker_version_data: Any
    gives_up = True
    failure: BaseException | None = None
    reached = False  # whether something accepted the last connection that failed

    def learn(self, other: Connections) -> None:
        """Know what `other` knows of the cluster: then there is nothing to ask at the start."""
        self.cluster, self.broker_version_data = other.cluster, other.broker_version_data
        self.bootstrap, self.gives_up = lambda *_: None, False  # type: ignore[method-assign]

    def bootstrap(self, timeout_ms: float, refresh: bool = True) -> None:
        seconds = timeout_ms / 1000
        # A moment longer: it knows better why it failed.
        step = (self.bootstrap_async, timeout_ms, refresh)
        super().run(self._in_time, seconds + 0.2, seconds, gives_up(), *step)

    def run(self, coro: Any, *args: Any) -> Any:
        seconds = time_left()
        if seconds == math.inf:
            return super().run(coro, *args)
        return super().run(self._in_time, seconds, allowed(), gives_up(), coro, *args)

    async def _in_time(
        self, seconds: float, given: float, over: Callable[[], bool], coro: Any, *args: Any
    ) -> Any:
        deadline, answer = time.monotonic() + seconds, self.call_soon(coro, *args)
        while True:
            wait = max(0.0, min(_LOOK, deadline - time.monotonic()))
            try:
                return await self.wait_for(answer, wait * 1000)
            except kafka.errors.KafkaTimeoutError:
                if answer.is_done:  # perhaps this very error, perhaps just now
                    return await answer
                if over() or time.monotonic() >= deadline:
                    text = f"no answer within {given:g} s"
                    raise kafka.errors.KafkaTimeoutError(text) from None

    def get_connection(self, node_id: Any, **options: Any) -> Any:
        if self.gives_up and self.failure is not None and is_refusal(self.failure):
            raise self.failure
        connection = super().get_connection(node_id, **options)
        connection.init_future.add_errback(lambda error: self._failed(connection, error))
        return connection

    def _failed(self, connection: Any, error: BaseException) -> None:
        before = self.failure or error
        known = self.gives_up or (before is not error and is_out_of_files(before))
        self.failure, self.reached = error, connection.parser is not None
        if is_out_of_files(error) and not known:
            logger.warning("cannot connect to Kafka again: %s", OUT_OF_FILES)

    async def _build_transport(self, node: Any, timeout_at: float | None = None) -> Any:
        try:
            transport = await super()._build_transport(node, timeout_at=timeout_at)
        except Exception as exc:
            for error in (exc, exc.__context__):
                if error is not None:
                    error.__traceback__ = None  # its frames hold a socket that nothing closes
            raise
        _receive_whole(transport)
        _close_now(transport)
        return transport


def _receive_whole(transport: Any) -> None:
    """Make `transport` return the data that came together with the end of a connection.

    kafka-python drops these data, which say why a login was refused. The next call then notices
    the end.
    """
    receive = transport._sock_recv

    def whole() -> tuple[bytes, BaseException | None]:
        data, error = receive()
        return data, None if data else error

    transport._sock_recv = whole


def _close_now(transport: Any) -> None:
    """Make `transport` close its socket even if there are data left to send.

    A client that closes has waited for the answers that it needs. kafka-python would first send
    the rest, and leave the socket open if it cannot.
    """
    close = transport.close

    def close_now() -> None:
        if transport._write_buffer:
            transport.abort()
        else:
            close()

    transport.close = close_now
