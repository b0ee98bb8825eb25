"""Connecting where no Kafka is: settings that cannot work, and peers that are something else."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import kafka.errors
import pytest

from clicklib import Cluster
from clicklib.client.connect import connect as new_client
from clicklib.client.topics import TopicManager
from clicklib.errors import KafkaError, UnavailableError, UsageError

LOGIN = {
    "security_protocol": "SASL_PLAINTEXT",
    "sasl_mechanism": "SCRAM-SHA-256",
    "sasl_plain_username": "reader",
    "sasl_plain_password": "hunter2",
}


def connect(address: str = "127.0.0.1:1", **security: Any) -> None:
    known = {name: value for name, value in security.items() if value is not None}
    TopicManager(Cluster((address,), known), timeout=0.3)


@pytest.mark.parametrize(
    ("words", "security"),
    [
        ("security_protocol is .*, not 'SASL-SSL'", {**LOGIN, "security_protocol": "SASL-SSL"}),
        ("PLAINTEXT, which leaves out sasl_", {**LOGIN, "security_protocol": None}),
        ("SSL, which leaves out sasl_", {**LOGIN, "security_protocol": "SSL"}),
        ("SASL_PLAINTEXT, which leaves out ssl_cafile", {**LOGIN, "ssl_cafile": __file__}),
        ("sasl_mechanism is PLAIN, .*SHA-512", {**LOGIN, "sasl_mechanism": None}),
        ("sasl_mechanism is PLAIN, .*SHA-512", {**LOGIN, "sasl_mechanism": "SCRAM-SHA-1"}),
        ("sasl_plain_username is missing", {**LOGIN, "sasl_plain_username": None}),
        ("sasl_plain_password is missing", {**LOGIN, "sasl_plain_password": None}),
        ("sasl_plain_username is missing, or no text", {**LOGIN, "sasl_plain_username": 7}),
        ("ssl_cafile cannot be used", {"security_protocol": "SSL", "ssl_cafile": "/not/there"}),
        ("ssl_cafile cannot be used", {"security_protocol": "SSL", "ssl_cafile": __file__}),
        ("ssl_cafile cannot be used", {"security_protocol": "SSL", "ssl_cafile": "a\0b"}),
        ("ssl_certfile, .* cannot be", {"security_protocol": "SSL", "ssl_certfile": __file__}),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_sent(
    words: str, security: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), pytest.raises(UsageError, match=words) as raised:
        connect(**security)
    assert "hunter2" not in str(raised.value)
    assert "Initializing connection" not in caplog.text


def test_a_context_of_tls_needs_no_files() -> None:
    with pytest.raises(UnavailableError):
        connect(security_protocol="SSL", ssl_context=ssl.create_default_context())


def test_a_refused_certificate_is_told_before_its_connection_has_noted_it() -> None:
    def refused(**_: Any) -> None:
        reason = ssl.SSLCertVerificationError("certificate verify failed")
        raise kafka.errors.KafkaConnectionError(reason)

    with pytest.raises(KafkaError, match=r"cannot log in at localhost:1: .* a certificate or"):
        new_client(refused, Cluster.of("localhost:1"), 1.0)


def test_where_nothing_listens_no_password_is_blamed() -> None:
    with pytest.raises(UnavailableError, match="is it running and is the address right") as raised:
        connect()
    assert "password" not in str(raised.value)


class Peer(threading.Thread):
    """Takes connections, reads a little, answers `answer`, and closes."""

    def __init__(self, answer: bytes) -> None:
        super().__init__(daemon=True)
        self.taken = 0
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def run(self) -> None:
        while True:
            client, _ = self._listener.accept()
            with client:
                if not client.recv(1):  # that of `close`
                    return
                self.taken += 1
                client.sendall(self._answer)

    def close(self) -> None:
        host, _, port = self.address.rpartition(":")
        socket.create_connection((host, int(port))).close()
        self.join(10)
        self._listener.close()


@pytest.fixture(params=[b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\4\0\0\0\1"])
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    peer = Peer(request.param)
    peer.start()
    yield peer
    peer.close()


@pytest.mark.parametrize("security", [{}, LOGIN], ids=["plain", "login"])
def test_a_peer_that_is_no_kafka_is_told_in_time_and_not_stormed(
    peer: Peer, security: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(UnavailableError) as raised:
        connect(peer.address, **security)
    assert f"no broker answers at {peer.address} within 0.3 s" in str(raised.value)
    assert "security_protocol is wrong or missing" in str(raised.value)
    assert "hunter2" not in caplog.text
    # With waits from 50 ms on, doubled each time.
    assert 1 <= peer.taken <= 4
