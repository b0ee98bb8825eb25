"""Clients of the endpoint that are slow, half gone, or up to no good: the others notice nothing."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clicklib.engine.state import State
from clicklib.web import Endpoint
from clicklib.web import endpoint as module
from tests.waiting import wait_until

GOOD = b"GET /user-3 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class FakeView:
    """A view of one row."""

    state, error, progress = State.RUNNING, None, (0, 0)

    def get(self, key: str) -> object:
        return 153 if key == "user-3" else None

    def items(self, prefix: str = "") -> Iterator[tuple[str, object]]:
        return iter([("user-3", 153)])


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with Endpoint(FakeView(), port=0) as endpoint:
        yield endpoint


def connect(endpoint: Endpoint) -> socket.socket:
    return socket.create_connection(("127.0.0.1", endpoint.port), timeout=20)


def rest(client: socket.socket) -> bytes:
    """All that comes until the endpoint closes."""
    with contextlib.suppress(ConnectionResetError), client.makefile("rb") as answer:
        return answer.read()
    return b""


def check(endpoint: Endpoint) -> None:
    """A client like any other is answered."""
    with connect(endpoint) as client:
        client.sendall(GOOD)
        assert rest(client).endswith(b"\r\n\r\n153")


def test_a_request_that_comes_byte_by_byte_is_answered(endpoint: Endpoint) -> None:
    with connect(endpoint) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in GOOD:
            client.send(bytes([byte]))
        assert rest(client).endswith(b"153")


def test_clients_that_never_end_a_request_hold_nobody_up_and_are_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 2.0)
    body = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\nx"
    stopped = threading.Event()
    with contextlib.ExitStack() as stack:
        endpoint = stack.enter_context(Endpoint(FakeView(), port=0))
        clients = [stack.enter_context(connect(endpoint)) for _ in range(200)]

        def trickle() -> None:
            while not stopped.wait(0.1):
                for client in clients:
                    with contextlib.suppress(OSError):
                        client.send(b"x")

        for number, client in enumerate(clients):
            client.sendall(body if number % 2 else GOOD[:-1])
        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            check(endpoint)
            for client in clients:  # each waits at most its timeout
                assert b"200" not in rest(client)[:15]
        finally:
            stopped.set()
            thread.join()
        check(endpoint)


def test_clients_that_only_listen_any_more_are_let_go(endpoint: Endpoint) -> None:
    """Tornado takes half an end for the whole, be it before or after its answer."""
    for _ in range(20):
        with connect(endpoint) as client:
            client.sendall(GOOD)
            client.shutdown(socket.SHUT_WR)
            assert rest(client)[:15] in (b"HTTP/1.1 200 OK", b"")
    check(endpoint)


@pytest.mark.parametrize(
    "sent", [b"", b"G", GOOD[:-1], b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n"]
)
def test_a_client_that_goes_in_the_middle_is_forgotten(endpoint: Endpoint, sent: bytes) -> None:
    with connect(endpoint) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        assert b"200" not in rest(client)[:15]
    check(endpoint)


def test_clients_that_hang_up_without_reading_are_forgotten(endpoint: Endpoint) -> None:
    for _ in range(100):
        with connect(endpoint) as client:
            client.sendall(GOOD * 3)
    check(endpoint)


@pytest.mark.parametrize(
    "header",
    [
        b"X: " + b"x" * 300_000,
        b"".join(b"X-%d: 1\r\n" % i for i in range(30_000)) + b"Y: 1",
        b"Host: localhost, evil.example",
        b"Host: localhost@evil.example",
        b"Host: evil.example#localhost",
        b"Host: \xff\xfe",
        b"Host:",
    ],
    ids=["long", "many", "two names", "user", "fragment", "bytes", "empty"],
)
def test_headers_that_are_too_much_or_name_another_host_are_refused(
    endpoint: Endpoint, header: bytes
) -> None:
    with connect(endpoint) as client:
        with contextlib.suppress(ConnectionError):  # it may close before all was sent
            client.sendall(b"GET /user-3 HTTP/1.1\r\n" + header + b"\r\nConnection: close\r\n\r\n")
        assert b" 200 " not in rest(client)
    check(endpoint)


@pytest.mark.parametrize(
    "target", ["/%", "/%zz", "/%f", "/%%41", "/?key=%", "/?key=%zz%e", "/%u0041"]
)
def test_an_encoding_that_is_none_is_a_key_that_is_not_there(
    endpoint: Endpoint, target: str
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=20)
    connection.request("GET", target)
    assert connection.getresponse().status == 404
    connection.close()


pieces = [b"/", b"?", b"key=", b"prefix=", b"limit=", b"&", b"%", b"9", b"=", b"\xff"]
targets = st.one_of(st.binary(max_size=30), st.lists(st.sampled_from(pieces)).map(b"".join))
headers = st.lists(
    st.tuples(
        st.sampled_from([b"Host", b"X-Any", b"Content-Length", b"Transfer-Encoding"]),
        st.sampled_from([b"localhost", b"close", b"chunked", b"-1", b"\0"]),
    )
)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([b"GET", b"HEAD", b"get", b"POST", b"\xff"]), targets, headers)
def test_any_request_is_answered_or_refused_and_nothing_breaks(
    endpoint: Endpoint, method: bytes, target: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    lines = [b"%s /%s HTTP/1.1" % (method, target), b"Host: localhost"]
    lines += [b"%s: %s" % header for header in headers]
    with connect(endpoint) as client:
        client.sendall(b"\r\n".join([*lines, b"Connection: close", b"", b""]))
        has_body = any(name in (b"Content-Length", b"Transfer-Encoding") for name, _ in headers)
        if has_body:  # which is not sent
            client.shutdown(socket.SHUT_WR)
        answer = rest(client)
    if not answer:  # an answer, or an end where there is no request
        assert has_body or not method.isalpha() or b"\n" in target
    assert not answer or answer[9:12] in (b"200", b"400", b"403", b"404", b"405", b"413")
    assert b"Traceback" not in answer


def test_nothing_is_left_open_when_all_have_gone(endpoint: Endpoint) -> None:
    def open_here() -> list[object]:
        return [
            c
            for c in psutil.Process().net_connections("tcp")
            if c.laddr.port == endpoint.port and c.status != psutil.CONN_LISTEN
        ]

    check(endpoint)
    wait_until("its connections are closed", lambda: not open_here())
