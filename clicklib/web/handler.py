"""The answers of the web endpoint: each request reads one value or a list from the view.

A key is percent-decoded to bytes and read as UTF-8; bytes that are not UTF-8 become surrogate
escapes, as everywhere in clicklib. `HEAD` is answered like `GET` without the body.

A value becomes JSON: numbers stay numbers with all their digits, a Decimal too. What JSON
lacks becomes null (from NaN), base64 (from bytes) or text (from times, and from other classes).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from hmac import compare_digest
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_to_bytes

import msgspec
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    HTTPServerRequest,
    ResponseStartLine,
    format_timestamp,
    responses,
)

from clicklib.errors import ClicklibError, DataError
from clicklib.web.page import PAGE, POLICY

__all__ = ["Handler"]

logger = logging.getLogger("clicklib")

LIST_ROWS = 1000
LIST_BYTES = 4 * 2**20
_READABLE = frozenset({"running", "reconnecting"})

_HEADERS = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'",
}


class _Answer(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str] = {}
    """Those that replace or complete `_HEADERS`."""


class Handler(HTTPServerConnectionDelegate):
    """Answers the requests of tornado's server, on the thread of the endpoint.

    It has no use for what tornado's `RequestHandler` does for each request beside this: routes,
    arguments, cookies, ETags. With these an answer takes 160 us of CPU, and 90 without.
    """

    def __init__(self, view: Any, hosts: frozenset[str], secret: str) -> None:
        self._view, self._hosts, self._secret = view, hosts, secret.encode()

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> _Request:
        return _Request(request_conn, self.answer)

    def answer(self, request: HTTPServerRequest) -> _Answer:
        path, query = request.path, request.query_arguments
        first, slash, rest = path[1:].partition("/")
        if slash and compare_digest(first.encode(), self._secret):
            path = f"/{rest}"
        elif request.host_name not in self._hosts:
            return _answer(403, {"error": "the Host header must name localhost"})

        if request.method not in ("GET", "HEAD"):
            return _answer(405, {"error": responses[405]}, {"Allow": "GET, HEAD"})
        if path == "/healthz":
            state = self._view.state.value
            return _answer(200 if state == "running" else 503, {"state": state})
        if not path.startswith("/"):
            return _answer(400, {"error": "the path must begin with a slash"})
        if path != "/":
            return self._read(self._value, unquote_to_bytes(path[1:].encode("latin1")))
        if "key" in query:
            return self._read(self._value, query["key"][-1])
        if "prefix" in query or "limit" in query:
            rows = partial(self._list, query.get("limit", [b""])[-1])
            return self._read(rows, query.get("prefix", [b""])[-1])
        about = {"Content-Security-Policy": POLICY, "Content-Type": "text/html; charset=utf-8"}
        return _Answer(200, PAGE.encode(), about)

    def _value(self, key: str) -> _Answer:
        value = self._view.get(key)
        if value is None:
            return _answer(404, {"error": "no such key", "key": _shown(key)})
        return _Answer(200, _json(value))

    def _list(self, limit: bytes, prefix: str) -> _Answer:
        if limit and not limit.isdigit():
            return _answer(400, {"error": "limit must be a whole number"})
        most = min(int(limit), LIST_ROWS) if 0 < len(limit) < 9 else LIST_ROWS
        users, more = _rows(self._view, prefix, most)
        return _answer(200, {"state": self._view.state.value, "users": users, "more": more})

    def _read(self, find: Callable[[str], _Answer], raw: bytes) -> _Answer:
        """What `find` finds in the view, or why the view cannot be read."""
        if self._view.state.value not in _READABLE:
            return self._unavailable()
        try:
            return find(raw.decode(errors="surrogateescape"))
        except DataError as error:
            return _answer(500, {"error": _shown(str(error))})
        except ClicklibError as error:
            return self._unavailable(error)

    def _unavailable(self, error: BaseException | None = None) -> _Answer:
        state = self._view.state.value
        content: dict[str, Any] = {"error": f"the view is {state}", "state": state}
        error = self._view.error or error
        if error is not None:
            content["error"] = _shown(str(error))
        if state == "failed":
            return _answer(503, content)
        return _answer(503, content | {"progress": self._view.progress}, {"Retry-After": "1"})


class _Request(HTTPMessageDelegate):
    """Takes one request from its connection, without the body, and gives the answer to it."""

    def __init__(
        self, connection: HTTPConnection, answer: Callable[[HTTPServerRequest], _Answer]
    ) -> None:
        self._connection, self._answer = connection, answer

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
        self._request = HTTPServerRequest(
            connection=self._connection, start_line=start_line, headers=headers
        )

    def finish(self) -> None:
        request = self._request
        try:
            status, body, about = self._answer(request)
        except Exception:
            logger.exception("the endpoint cannot answer %s %s", request.method, request.path)
            status, body, about = _answer(500, {"error": responses[500]})
        length = {"Date": format_timestamp(time.time()), "Content-Length": str(len(body))}
        self._connection.write_headers(
            ResponseStartLine("", status, responses[status]),
            HTTPHeaders({**_HEADERS, **length, **about}),
            b"" if request.method == "HEAD" else body,
        )
        self._connection.finish()


def _answer(status: int, content: dict[str, Any], headers: dict[str, str] | None = None) -> _Answer:
    return _Answer(status, msgspec.json.encode(content), headers or {})


def _rows(view: Any, prefix: str, most: int) -> tuple[list[dict[str, Any]], bool]:
    """At most `most` rows, of about LIST_BYTES at most, and whether there are more."""
    users: list[dict[str, Any]] = []
    size = 0
    for key, value in view.items(prefix):
        if len(users) == most or size > LIST_BYTES:
            return users, True
        href, encoded = "?key=" + quote(key.encode(errors="surrogateescape"), safe=""), _json(value)
        users.append({"key": _shown(key), "href": href, "value": msgspec.Raw(encoded)})
        size += len(href) + len(encoded)
    return users, False


def _shown(text: str) -> str:
    """The text with its lone surrogates, which JSON cannot carry, written as escapes."""
    return text.encode(errors="backslashreplace").decode()


def _json(value: Any) -> bytes:
    try:
        data = _WITH_NUMBERS.encode(value)
        if b"NaN" in data or b"Infinity" in data:
            msgspec.json.decode(data)
        return data
    except msgspec.DecodeError:  # a Decimal that is not a number
        return _WITH_TEXT.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        return msgspec.json.encode(_shown(str(value)))


def _plain(value: Any) -> Any:
    """What JSON has for a value of another class: numpy's numbers and arrays, else its text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


_WITH_NUMBERS = msgspec.json.Encoder(enc_hook=_plain, decimal_format="number")
_WITH_TEXT = msgspec.json.Encoder(enc_hook=_plain)
