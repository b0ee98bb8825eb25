"""Connects clients of kafka-python, and raises one error that says why connecting failed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import kafka
import kafka.errors
from kafka.net.compat import KafkaNetClient
from kafka.net.selector import NetworkSelector

from clicklib.client.cluster import Cluster
from clicklib.client.limit import allowed, time_left
from clicklib.client.security import checked
from clicklib.client.transport import Connections, is_refusal
from clicklib.errors import (
    OUT_OF_FILES,
    ClicklibError,
    KafkaError,
    UnavailableError,
    UsageError,
    is_out_of_files,
)

__all__ = ["allow_files", "answer_ms", "connect"]

# All clients share this setting. kafka-python waits up to 30 s between two attempts to reach a
# broker; with 1 s a restarted broker is found soon.
_CLIENT = {"reconnect_backoff_max_ms": 1_000}

_OLDEST = (3, 0)  # the oldest Kafka that the tests run against
_FILES = 4_096  # JupyterLab allows its kernels as many

_HINT = (
    " Perhaps the user name, the password, a certificate or the security_protocol is wrong or "
    "missing."
)


def answer_ms(connect_timeout: float) -> int:
    """Milliseconds to wait for one answer, if connecting may take `connect_timeout` seconds.

    Connecting needs several answers. kafka-python's default of 30 s for each is too long.
    """
    return int(max(5.0, connect_timeout / 2) * 1000)


def connect(
    kind: Callable[..., Any],
    cluster: Cluster,
    timeout: float,
    topics: Iterable[str] = (),
    beside: kafka.KafkaConsumer | None = None,
    **settings: Any,
) -> Any:
    """Make a client of `kind`.

    With `beside`, the new client shares that client's event loop and metadata. Close only its
    `_manager`, and do that before the other client closes.

    It knows of `topics`, as far as they are there, when it is connected: the first answer names
    them. Over a slow link that saves two answers.

    Raises UsageError for security settings that cannot work, KafkaError when the broker refuses
    the login, a certificate is refused or the broker is too old, UnavailableError when no broker
    answers in `timeout` s, or in those that `within` allows.
    """
    security = checked(cluster.security)
    allow_files()
    begun: list[Connections] = []

    def network(**configs: Any) -> KafkaNetClient:
        if beside is not None:
            connections = Connections(beside._net, **configs)
            connections.learn(beside._manager)
        else:
            connections = Connections(NetworkSelector(**configs), **configs)
            connections.cluster._topics.update(topics)
            begun.append(connections)
        return KafkaNetClient(connections._net, connections, **configs)

    try:
        client = kind(
            bootstrap_servers=list(cluster.addresses),
            bootstrap_timeout_ms=int(time_left(timeout) * 1000),
            kafka_client=network,
            **_CLIENT,
            **settings,
            **security,
        )
    except BaseException as exc:
        explained = _explained(exc, cluster, min(timeout, allowed()), begun)
        # kafka-python starts its thread before it connects, and then does not end the thread.
        for connections in begun:
            connections.close()
            connections._net.close()
        if explained is None:
            raise
        # The frames are dropped, for they hold the data that were sent: with PLAIN the password.
        raise explained from exc.with_traceback(None)
    for connections in begun:
        if (connections.broker_version or _OLDEST) < _OLDEST:
            client.close()
            raise KafkaError(_too_old(cluster, connections.broker_version))
        connections.gives_up = False
    return client


def _too_old(cluster: Cluster, version: tuple[int, ...]) -> str:
    found, oldest = (".".join(map(str, each)) for each in (version, _OLDEST))
    return (
        f"the broker at {cluster} is too old: it answers as Kafka {found} does, and clicklib needs "
        f"{oldest} or newer; update it, or use another cluster"
    )


def allow_files(wanted: int = _FILES) -> int:
    """Raise this program's own limit of open files to `wanted`, if the system lets it.

    macOS begins with 256, which seven processors of ten partitions take. Returns the limit.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits = [wanted] if hard == resource.RLIM_INFINITY else [wanted, hard]
    if soft != resource.RLIM_INFINITY and soft < min(limits):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(limits), hard))
            soft = min(limits)
    return wanted if soft == resource.RLIM_INFINITY else soft


def _explained(
    error: BaseException, cluster: Cluster, timeout: float, begun: list[Connections]
) -> ClicklibError | None:
    """The error that says why a client could not connect; None if the reason is unknown."""
    failure = begun[-1].failure if begun else None
    if any(map(is_out_of_files, filter(None, (failure, error)))):
        return KafkaError(f"cannot connect to {cluster}: {OUT_OF_FILES}")
    if isinstance(error, kafka.errors.KafkaTimeoutError):
        hint = _HINT if cluster.security or any(each.reached for each in begun) else ""
        return UnavailableError(
            f"no broker answers at {cluster} within {timeout:g} s: is it running and is the "
            f"address right?{hint} The last attempt ended with: {failure or error}"
        )
    reason = failure or error  # another thread notes the failure, perhaps a moment later
    if is_refusal(reason):
        return KafkaError(f"cannot log in at {cluster}: {reason}.{_HINT}")
    if isinstance(error, kafka.errors.KafkaConfigurationError):
        return UsageError(f"these settings do not go together: {error}")
    if isinstance(error, kafka.errors.KafkaError):
        return KafkaError(f"cannot connect to {cluster}: {error}")
    return None
