"""How a client of kafka-python gets to its broker, and one error that says why it does not."""

from __future__ import annotations

import contextlib
import logging
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import kafka.errors
from kafka.net.compat import KafkaNetClient
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from clicklib.client.cluster import Cluster
from clicklib.errors import KafkaError, UnavailableError, UsageError

__all__ = ["OUT_OF_RANGE", "connect", "translated"]

# The settings that all clients share. kafka-python waits up to 30 s between attempts to reach a
# broker; with 1 s a restarted broker is found soon.
_CLIENT = {"reconnect_backoff_max_ms": 1_000}

OUT_OF_RANGE = (
    kafka.errors.OffsetOutOfRangeError,
    kafka.errors.NoOffsetForPartitionError,
    kafka.errors.UnknownTopicOrPartitionError,
    kafka.errors.LogTruncationError,
)

# Of the last two kafka-python says that they stay: the broker to ask is being restarted, or a topic
# whose leader has just died has none for a moment.
_PASSING = (
    kafka.errors.RetriableError,
    kafka.errors.UnknownBrokerIdError,
    kafka.errors.BrokerNotAvailableError,
)

_REFUSALS = (
    kafka.errors.SaslAuthenticationFailedError,
    kafka.errors.UnsupportedSaslMechanismError,
)
# What a broker that goes down in the middle of a handshake looks like.
_BROKEN_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)

_HINT = (
    " Perhaps the user name, the password, a certificate or the security_protocol is wrong or "
    "missing."
)

# These loggers write at debug level all that is sent, the password of SASL's PLAIN too.
_WIRE = ("kafka.net.connection", "kafka.protocol.parser")


def connect(
    kind: Callable[..., Any],
    cluster: Cluster,
    timeout: float,
    may_send: Callable[[], bool] | None = None,
    **settings: Any,
) -> Any:
    """Make a client of `kind`, which sends nothing while `may_send` says no.

    Raises UsageError for security settings that cannot work, KafkaError when the broker refuses
    the login or a certificate is refused, UnavailableError when no broker answers in `timeout` s.
    """
    security = _checked(cluster.security)
    begun: list[_Manager] = []

    def network(**configs: Any) -> KafkaNetClient:
        manager = _Manager(NetworkSelector(**configs), **configs)
        manager.may_send = may_send
        begun.append(manager)
        return KafkaNetClient(manager._net, manager, **configs)

    try:
        client = kind(
            bootstrap_servers=list(cluster.addresses),
            bootstrap_timeout_ms=int(timeout * 1000),
            kafka_client=network,
            **_CLIENT,
            **settings,
            **security,
        )
    except BaseException as exc:
        explained = _explained(exc, cluster, timeout, begun)
        # kafka-python begins its thread before it connects, and leaves it running.
        for manager in begun:
            manager.close()
            manager._net.close()
        if explained is None:
            raise
        # Without its frames, which hold what was sent: of SASL's PLAIN the password.
        raise explained from exc.with_traceback(None)
    for manager in begun:
        manager.gives_up = False
    return client


def _explained(
    error: BaseException, cluster: Cluster, timeout: float, begun: list[_Manager]
) -> KafkaError | None:
    """The error that says why a client could not connect; None where it is not known to."""
    failure = begun[-1].failure if begun else None
    if isinstance(error, kafka.errors.KafkaTimeoutError):
        hint = _HINT if cluster.security or any(manager.reached for manager in begun) else ""
        return UnavailableError(
            f"no broker answers at {cluster} within {timeout:g} s: is it running and is the "
            f"address right?{hint} The last attempt ended with: {failure or error}"
        )
    if failure is not None and _is_refusal(failure):
        return KafkaError(f"cannot log in at {cluster}: {failure}.{_HINT}")
    if isinstance(error, kafka.errors.KafkaError):
        return KafkaError(f"cannot connect to {cluster}: {error}")
    return None


class _Manager(KafkaConnectionManager):
    """Remembers why the last connection failed, and gives up at once what waiting won't mend.

    Once the client has been connected it tries again and again, as after any loss of a broker.
    """

    gives_up = True
    failure: BaseException | None = None
    reached = False  # whether something took a connection
    may_send: Callable[[], bool] | None = None

    def get_connection(self, node_id: Any, **options: Any) -> Any:
        if self.gives_up and self.failure is not None and _is_refusal(self.failure):
            raise self.failure
        connection = super().get_connection(node_id, **options)
        connection.init_future.add_errback(lambda error: self._failed(connection, error))
        return connection

    def _failed(self, connection: Any, error: BaseException) -> None:
        self.failure, self.reached = error, connection.parser is not None

    async def _build_transport(self, node: Any, timeout_at: float | None = None) -> Any:
        try:
            transport = await super()._build_transport(node, timeout_at=timeout_at)
        except Exception as exc:
            for error in (exc, exc.__context__):
                if error is not None:
                    error.__traceback__ = None  # its frames hold a socket that nothing closes
            raise
        receive = transport._sock_recv

        def whole() -> tuple[bytes, BaseException | None]:
            # kafka-python drops what came together with the end of a connection: the reason why
            # a login was refused. The end is noticed once more at the next call.
            data, error = receive()
            return data, None if data else error

        transport._sock_recv = whole
        close = transport.close

        def close_now() -> None:
            # Who closes has waited for the answers that it wants. kafka-python lets the rest leave
            # first, and leaves the socket open where it cannot.
            if transport._write_buffer:
                transport.abort()
            else:
                close()

        transport.close = close_now
        if self.may_send is not None:
            _hold(transport, self.may_send)
        return transport


def _hold(transport: Any, may_send: Callable[[], bool]) -> None:
    """Let `transport` send only while `may_send` says yes.

    It is asked at the last moment: a process may be suspended between any two steps before it.
    """
    send = transport._sock_send

    def send_if_allowed() -> tuple[int, BaseException | None]:
        if may_send():
            return send()
        time.sleep(0.01)  # kafka-python asks again at once
        return 0, None

    transport._sock_send = send_if_allowed


def _is_refusal(error: BaseException) -> bool:
    """Whether an attempt to connect would fail for ever."""
    inner = [error, error.__context__, *error.args]
    return isinstance(error, _REFUSALS) or any(
        isinstance(e, ssl.SSLError) and not isinstance(e, _BROKEN_OFF) for e in inner
    )


def _checked(security: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as kafka-python needs them; UsageError for those that cannot work.

    kafka-python would try again and again with them, or do without them.
    """
    protocol = security.get("security_protocol", "PLAINTEXT")
    known = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
    if protocol not in known:
        raise UsageError(f"security_protocol is {' or '.join(known)}, not {protocol!r}")
    for kind in ("sasl", "ssl"):
        given = sorted(name for name in security if name.startswith(f"{kind}_"))
        if given and kind.upper() not in protocol:
            raise UsageError(f"security_protocol is {protocol}, which leaves out {given[0]}")
    if "SASL" in protocol:
        _check_login(security)
        for name in _WIRE:
            logging.getLogger(name).addFilter(_is_no_detail)
    if "SSL" not in protocol:
        return dict(security)
    if security.get("ssl_context") is None:
        _check_files(security)
    # Without one OpenSSL would ask at the terminal, and hold up the client's thread.
    return {"ssl_password": "", **security}


def _is_no_detail(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


def _check_login(security: Mapping[str, Any]) -> None:
    mechanism = security.get("sasl_mechanism")
    known = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", "AWS_MSK_IAM")
    if mechanism not in known:
        raise UsageError(f"sasl_mechanism is {', '.join(known[:-1])} or {known[-1]}")
    needed = ("sasl_plain_username", "sasl_plain_password") if mechanism in known[:3] else ()
    for name in needed:
        if not isinstance(security.get(name), str):
            raise UsageError(f"{name} is missing, or no text: {mechanism} needs it")


def _check_files(security: Mapping[str, Any]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority, certificate = security.get("ssl_cafile"), security.get("ssl_certfile")
    with _naming("ssl_cafile"):
        if authority:
            context.load_verify_locations(authority)
    with _naming("ssl_certfile, ssl_keyfile and ssl_password"):
        if certificate:
            key, password = security.get("ssl_keyfile"), security.get("ssl_password") or ""
            context.load_cert_chain(certificate, key, password)


@contextlib.contextmanager
def _naming(settings: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, TypeError) as exc:
        raise UsageError(f"{settings} cannot be used: {exc}") from exc


@contextlib.contextmanager
def translated(what: str, **where: Any) -> Iterator[None]:
    """Turn kafka-python's errors inside into KafkaError, with `what` was being done.

    What may pass by itself becomes UnavailableError.
    """
    try:
        yield
    except kafka.errors.KafkaError as exc:
        cause = exc.__cause__ if isinstance(exc.__cause__, Exception) else exc
        passes = isinstance(cause, _PASSING) and not isinstance(cause, OUT_OF_RANGE)
        kind = UnavailableError if passes else KafkaError
        raise kind(f"{what}: {cause}", **where) from cause
