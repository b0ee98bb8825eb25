"""The endpoint over a view in memory: real HTTP over loopback."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import time
from decimal import Decimal
from fractions import Fraction
from urllib.parse import quote

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clicklib.engine.state import State
from clicklib.errors import CodecError, UsageError
from clicklib.web import Endpoint, handler


class User(msgspec.Struct):
    clicks: int = msgspec.field(default=0, name="Clicks")


class FakeView:
    """A view whose table is a dict."""

    def __init__(self, table: dict[str, object] | None = None) -> None:
        self.table = table or {}
        self.state = State.RUNNING
        self.error: Exception | None = None
        self.progress = (0, 0)

    def get(self, key: str) -> object:
        self._check()
        return self.table.get(key)

    def items(self, prefix: str = "") -> Iterator[tuple[str, object]]:
        self._check()
        return iter([(k, v) for k, v in sorted(self.table.items()) if k.startswith(prefix)])

    def _check(self) -> None:
        if self.state is State.RECOVERING:
            raise UsageError("the view is still recovering")


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    def json(self) -> object:
        assert self.headers["Content-Type"] == "application/json"
        return json.loads(self.body)


def ask(endpoint: Endpoint, target: str, method: str = "GET", **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=10)
    try:
        connection.request(method, target, headers=headers)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def send(endpoint: Endpoint, raw: bytes) -> bytes:
    """What comes back for bytes sent as they are, until the endpoint closes."""
    with socket.create_connection(("127.0.0.1", endpoint.port), timeout=10) as client:
        client.sendall(raw)
        with client.makefile("rb") as answer:
            return answer.read()


def encoded(key: str) -> str:
    return quote(key.encode(errors="surrogateescape"), safe="")


@pytest.fixture
def view() -> FakeView:
    return FakeView({f"user-{i}": User(150 + i) for i in range(10)})


@pytest.fixture
def endpoint(view: FakeView) -> Iterator[Endpoint]:
    with Endpoint(view, port=0) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def any_key() -> Iterator[Endpoint]:
    with Endpoint(FakeView(), port=0) as endpoint:
        yield endpoint


def test_a_key_is_answered_as_in_the_walkthrough(endpoint: Endpoint) -> None:
    answer = ask(endpoint, "/user-3")
    assert (answer.status, answer.body) == (200, b'{"Clicks":153}')
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_an_unknown_key_is_404_and_named(endpoint: Endpoint) -> None:
    answer = ask(endpoint, "/nobody")
    assert answer.status == 404
    assert answer.json() == {"error": "no such key", "key": "nobody"}


@pytest.mark.parametrize(
    ("value", "body"),
    [
        (7, b"7"),
        ("<b>", b'"<b>"'),
        (b"\xff", b'"/w=="'),
        ("\udcff", rb'"\\udcff"'),
        (float("nan"), b"null"),
        (1 + 2j, b'"(1+2j)"'),
        (0, b"0"),
        ("", b'""'),
        ({}, b"{}"),
        (Decimal("1.50"), b"1.50"),
        ({"price": [Decimal("1E+400")]}, b'{"price":[1E+400]}'),
        ([Decimal("NaN"), Decimal("1.50")], b'["NaN","1.50"]'),
        ({"NaN": Decimal("1.50")}, b'{"NaN":1.50}'),
        (np.int64(7), b"7"),
        ({"a": np.float64(0.5), "b": np.arange(3)}, b'{"a":0.5,"b":[0,1,2]}'),
        (1 << 70, b"1180591620717411303424"),
        (Fraction(1, 2), b'"1/2"'),
        (time(12, 30), b'"12:30:00"'),
        ({None: 1}, b'{"None":1}'),
    ],
)
def test_any_value_is_answered_as_json(
    view: FakeView, endpoint: Endpoint, value: object, body: bytes
) -> None:
    view.table["user-3"] = value
    answer = ask(endpoint, "/user-3")
    assert (answer.status, answer.body) == (200, body)


bytes_of_keys = st.one_of(
    st.text().map(lambda text: text.encode(errors="replace")),
    st.binary(),
    st.lists(st.sampled_from([b"..", b".", b"/", b"\0", b"%2e", b"?", b"#", b"a", b"+", b" "])).map(
        b"".join
    ),
    st.sampled_from(
        [b"healthz", b"/", b"//", b"", b"favicon.ico", b"index.html", b"key=", b"\r\n"]
    ),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=bytes_of_keys)
def test_any_key_is_found_and_no_other(any_key: Endpoint, raw: bytes) -> None:
    key = raw.decode(errors="surrogateescape")
    any_key.view.table = {key: 1}
    targets = [f"/?key={encoded(key)}"]
    if key not in ("", "healthz"):
        targets.append(f"/{encoded(key)}")
    for target in targets:
        assert ask(any_key, target).body == b"1"
        any_key.view.table = {key + "x": 2}
        missing = ask(any_key, target)
        assert missing.status == 404
        assert missing.json()["key"] == key.encode(errors="backslashreplace").decode()
        any_key.view.table = {key: 1}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=bytes_of_keys)
def test_the_list_leads_to_any_key(any_key: Endpoint, raw: bytes) -> None:
    any_key.view.table = {raw.decode(errors="surrogateescape"): {"n": 1}}
    (user,) = ask(any_key, f"/?prefix={quote(raw, safe='')}").json()["users"]
    assert user["value"] == {"n": 1}
    assert ask(any_key, "/" + user["href"]).json() == {"n": 1}


@pytest.mark.parametrize("path", ["/a/b", "/a//b", "/../../etc/passwd", "//etc/passwd", "/a;b=c"])
def test_a_path_is_a_key_as_it_stands(any_key: Endpoint, path: str) -> None:
    any_key.view.table = {path[1:]: 1}
    assert ask(any_key, path).body == b"1"


def test_raw_bytes_in_the_path_are_the_key(any_key: Endpoint) -> None:
    any_key.view.table = {"ü\udcff": 1}
    request = (
        b"GET /" + "ü".encode() + b"\xff HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    assert send(any_key, request).endswith(b"\r\n\r\n1")


def test_the_query_of_a_path_is_no_part_of_the_key(endpoint: Endpoint) -> None:
    assert ask(endpoint, "/user-3?key=user-4&prefix=x").json() == {"Clicks": 153}


def test_a_key_of_64_kib_is_answered(any_key: Endpoint) -> None:
    key = "\udcff" * 65_536
    any_key.view.table = {key: 1}
    assert ask(any_key, f"/{encoded(key)}").body == b"1"
    assert ask(any_key, f"/?key={encoded(key)}").body == b"1"
    any_key.view.table = {}
    assert ask(any_key, f"/{encoded(key)}").status == 404


def test_a_header_without_end_is_refused(endpoint: Endpoint) -> None:
    with pytest.raises(ConnectionError):
        send(endpoint, b"x" * 10_000_000)
    assert ask(endpoint, "/user-3").status == 200


def test_200_requests_are_held_at_once(endpoint: Endpoint) -> None:
    clients = [
        socket.create_connection(("127.0.0.1", endpoint.port), timeout=10) for _ in range(200)
    ]
    half = b"GET /user-%d HTTP/1.1\r\nHost: localhost\r\n"
    for i, client in enumerate(clients):
        client.sendall(half % (i % 10))
    for client in clients:
        client.sendall(b"\r\n")
    for i, client in enumerate(clients):
        with client, client.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
            while answer.readline() != b"\r\n":
                pass
            assert answer.read(14) == b'{"Clicks":%d}' % (150 + i % 10)


def test_200_clients_in_threads_are_answered(endpoint: Endpoint) -> None:
    with ThreadPoolExecutor(50) as pool:
        bodies = list(pool.map(lambda i: ask(endpoint, f"/user-{i % 10}").body, range(200)))
    assert bodies == [b'{"Clicks":%d}' % (150 + i % 10) for i in range(200)]


def test_head_is_get_without_the_body(endpoint: Endpoint) -> None:
    for target in ("/user-3", "/nobody", "/", "/?prefix=", "/healthz"):
        get, head = ask(endpoint, target), ask(endpoint, target, "HEAD")
        assert head.status == get.status
        assert head.body == b""
        assert head.headers["Content-Length"] == str(len(get.body))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_other_methods_are_405(endpoint: Endpoint, method: str) -> None:
    answer = ask(endpoint, "/user-3", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert answer.json() == {"error": "Method Not Allowed"}


@pytest.mark.parametrize(
    "raw",
    [
        b"GET\r\n\r\n",
        b"\x16\x03\x01 TLS\r\n\r\n",
        b"GET /user-3 HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET /user-3 HTTP/1.1\r\n\r\n",
        b"GET /user-3 HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET user-3 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /user-3 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(endpoint: Endpoint, raw: bytes) -> None:
    assert send(endpoint, raw)[:12] in (b"", b"HTTP/1.1 400")
    assert ask(endpoint, "/user-3").status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:9095", 200),
        ("127.0.0.1", 200),
        ("[::1]:9095", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example:9095", 403),
        ("10.0.0.1", 403),
    ],
)
def test_only_names_of_this_machine_are_answered(
    endpoint: Endpoint, host: str, status: int
) -> None:
    for target in ("/user-3", "/", "/?prefix=", "/healthz"):
        assert ask(endpoint, target, Host=host).status == status


def test_a_proxy_is_answered_at_the_secret_path_alone(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ann/")
    assert endpoint.proxied is not None
    secret = endpoint.proxied.split("/")[-2]
    assert len(secret) == 32
    context = {"X-Forwarded-Context": f"/user/ann/proxy/{endpoint.port}", "Host": "hub.example"}
    for target in ("/user-3", "/", "/?prefix=", "/healthz"):
        assert ask(endpoint, f"/{secret}{target}", **context).status == 200
        assert ask(endpoint, f"/{secret}{target}", **context).body == ask(endpoint, target).body
        for other in ("", f"/{secret[:-1]}", f"/{secret}0", f"/x/{secret}", "//" + secret):
            assert ask(endpoint, f"{other}{target}", **context).status == 403
    assert ask(endpoint, f"/{secret}", **context).status == 403
    assert ask(endpoint, f"/{secret}/nobody", **context).status == 404
    answer = ask(endpoint, f"/{secret}/", **context)
    assert "script-src 'sha256-" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"  # which would tell the secret


def test_each_endpoint_has_a_secret_of_its_own(
    view: FakeView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ann/")
    paths = {Endpoint(view, 9095).proxied for _ in range(3)}
    assert len(paths) == 3


def test_the_way_through_jupyter_is_shown_where_there_is_one(
    view: FakeView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    endpoint = Endpoint(view, 9095)
    assert endpoint.proxied is None
    assert repr(endpoint) == "<Endpoint http://127.0.0.1:9095/ stopped>"
    assert endpoint._repr_html_().count("<a ") == 1
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ann<b>/")
    assert f"stopped, through Jupyter {endpoint.proxied}>" in repr(endpoint)
    assert endpoint._repr_html_().count("<a ") == 2
    assert 'href="/user/ann&lt;b&gt;/proxy/9095/' in endpoint._repr_html_()
    assert Endpoint(view, 9095, host="192.0.2.1").proxied is None


def test_the_host_that_was_asked_for_is_answered(view: FakeView) -> None:
    with Endpoint(view, 0, host="127.0.0.2") as endpoint:
        connection = http.client.HTTPConnection("127.0.0.2", endpoint.port, timeout=10)
        connection.request("GET", "/user-3")
        assert Answer(connection.getresponse()).status == 200
        connection.close()
        assert endpoint.url == f"http://127.0.0.2:{endpoint.port}/"


def test_while_the_view_recovers_its_progress_is_told(view: FakeView, endpoint: Endpoint) -> None:
    view.state, view.progress = State.RECOVERING, (3, 10)
    for target in ("/user-3", "/?key=", "/?prefix="):
        answer = ask(endpoint, target)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        assert answer.json() == {
            "error": "the view is recovering",
            "state": "recovering",
            "progress": [3, 10],
        }
    assert ask(endpoint, "/healthz").status == 503
    assert ask(endpoint, "/").status == 200


def test_a_read_that_the_view_refuses_is_503(view: FakeView, endpoint: Endpoint) -> None:
    def refuse(key: str) -> object:
        raise UsageError("not now")

    view.get = refuse
    answer = ask(endpoint, "/user-3")
    assert answer.status == 503
    assert answer.json()["error"] == "not now"


def test_a_value_that_the_codec_refuses_is_500(view: FakeView, endpoint: Endpoint) -> None:
    def refuse(key: str) -> object:
        raise CodecError("not a User", key=key)

    view.get = view.items = refuse
    for target in ("/user-3", "/?prefix=user-3"):
        answer = ask(endpoint, target)
        assert (answer.status, answer.json()) == (500, {"error": "not a User (key 'user-3')"})


def test_a_failed_view_is_503_with_its_error(view: FakeView, endpoint: Endpoint) -> None:
    view.state, view.error = State.FAILED, CodecError("not a User", key="\udcff")
    for target in ("/user-3", "/?prefix="):
        answer = ask(endpoint, target)
        assert answer.status == 503
        assert answer.json()["error"].startswith("not a User")
        assert "Retry-After" not in answer.headers
    assert ask(endpoint, "/healthz").json() == {"state": "failed"}


def test_a_view_that_reconnects_is_read_but_not_healthy(view: FakeView, endpoint: Endpoint) -> None:
    view.state = State.RECONNECTING
    assert ask(endpoint, "/user-3").json() == {"Clicks": 153}
    health = ask(endpoint, "/healthz")
    assert (health.status, health.json()) == (503, {"state": "reconnecting"})


def test_health_is_200_while_the_view_runs(endpoint: Endpoint) -> None:
    answer = ask(endpoint, "/healthz")
    assert (answer.status, answer.json()) == (200, {"state": "running"})


def test_an_unexpected_error_is_500_and_shows_nothing(
    view: FakeView, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    view.get = lambda key: 1 / 0
    answer = ask(endpoint, "/user-3")
    assert (answer.status, answer.json()) == (500, {"error": "Internal Server Error"})
    assert "ZeroDivisionError" in caplog.text


def test_the_list_is_sorted_and_bounded(view: FakeView, endpoint: Endpoint) -> None:
    assert ask(endpoint, "/?prefix=user-1").json() == {
        "state": "running",
        "users": [{"key": "user-1", "href": "?key=user-1", "value": {"Clicks": 151}}],
        "more": False,
    }
    two = ask(endpoint, "/?limit=2").json()
    assert ([user["key"] for user in two["users"]], two["more"]) == (["user-0", "user-1"], True)
    view.table = {f"{i:05}": i for i in range(5000)}
    for limit in ("", "5000", "9" * 6000):
        many = ask(endpoint, f"/?prefix=&limit={limit}").json()
        assert (len(many["users"]), many["more"]) == (handler.LIST_ROWS, True)
    assert ask(endpoint, "/?limit=0").json()["users"] == []
    assert ask(endpoint, "/?limit=-1").status == 400


def test_the_list_of_long_values_is_bounded(view: FakeView, endpoint: Endpoint) -> None:
    view.table = {f"{i:05}": "x" * 2**20 for i in range(100)}
    answer = ask(endpoint, "/?prefix=")
    assert len(answer.body) < 2 * handler.LIST_BYTES
    assert answer.json()["more"]


def test_no_key_reaches_the_page(view: FakeView, endpoint: Endpoint) -> None:
    plain = ask(endpoint, "/").body
    view.table = {"<script>alert(1)</script>": "<img src=x onerror=alert(1)>"}
    assert ask(endpoint, "/").body == plain
    assert ask(endpoint, "/?x=<script>alert(1)</script>").body == plain
    for bad in (b"innerHTML", b"outerHTML", b"insertAdjacentHTML", b"document.write", b"eval("):
        assert bad not in plain
    for target in ("/?prefix=", "/%3Cscript%3E"):
        answer = ask(endpoint, target)
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'"


def test_the_page_is_self_contained_and_runs_only_its_own_script(endpoint: Endpoint) -> None:
    answer = ask(endpoint, "/")
    page, policy = answer.body.decode(), answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert not re.search(r"https?://|//[a-z]", page)
    for tag in ("script", "style"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_a_port_that_is_taken_is_named_with_the_way_out(endpoint: Endpoint, view: FakeView) -> None:
    second = Endpoint(view, port=endpoint.port)
    with pytest.raises(UsageError, match=rf"port {endpoint.port} is taken.*another port"):
        second.start()
    second.stop()


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_cannot_be_is_refused(view: FakeView, port: int) -> None:
    with pytest.raises(UsageError, match="between 0 and 65535"):
        Endpoint(view, port)


@pytest.mark.parametrize("host", ["192.0.2.1", "a b", "a..b", "x" * 64 + ".de", "a\0b"])
def test_what_is_no_address_of_this_machine_is_refused(view: FakeView, host: str) -> None:
    with pytest.raises(UsageError, match="cannot listen"):
        Endpoint(view, 0, host=host).start()


def test_it_starts_and_stops_again_and_leaves_no_thread(view: FakeView) -> None:
    before = set(threading.enumerate())
    endpoint = Endpoint(view, port=0)
    endpoint.stop()
    for _ in range(3):
        assert endpoint.start() is endpoint
        endpoint.start()
        kept_open = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=10)
        kept_open.request("GET", "/user-3")
        assert kept_open.getresponse().read() == b'{"Clicks":153}'
        endpoint.stop()
        endpoint.stop()
        kept_open.close()
        assert set(threading.enumerate()) == before
    assert "stopped" in repr(endpoint)


def test_a_port_is_free_again_after_the_stop(view: FakeView) -> None:
    with Endpoint(view, port=0) as first:
        ask(first, "/user-3")
    with Endpoint(view, port=first.port) as second:
        assert ask(second, "/user-3").status == 200


def test_a_client_that_does_not_read_does_not_hold_up_the_stop(view: FakeView) -> None:
    view.table = {"big": "x" * 50_000_000}
    with (
        Endpoint(view, port=0) as endpoint,
        socket.create_connection(("127.0.0.1", endpoint.port), timeout=10) as client,
    ):
        client.sendall(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"
        endpoint.stop(timeout=5)


def test_it_works_where_a_loop_is_running(view: FakeView) -> None:
    import asyncio

    async def cell() -> bytes:
        with Endpoint(view, port=0) as endpoint:
            return await asyncio.to_thread(lambda: ask(endpoint, "/user-3").body)

    assert asyncio.run(cell()) == b'{"Clicks":153}'


def test_an_endpoint_that_cannot_begin_says_so_and_can_be_tried_again(
    view: FakeView, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when no file handle is left for its loop."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    endpoint = Endpoint(view, port=0)
    with monkeypatch.context() as patch:
        patch.setattr("clicklib.web.endpoint.HTTPServer", refuse)
        with pytest.raises(OSError, match="Too many open files"):
            endpoint.start()
    assert endpoint.stop()
    with endpoint:
        assert "listening" in repr(endpoint)
