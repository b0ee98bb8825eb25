"""The answers of the web endpoint: each request reads one value or a list from the view.

A key is percent-decoded to bytes and read as UTF-8; bytes that are not UTF-8 become surrogate
escapes, as everywhere in clicklib. `HEAD` is answered like `GET` without the body.

A value becomes JSON: numbers stay numbers with all their digits, a Decimal too. What JSON has no
word for is null (not a number), base64 (bytes) or text (times, a class that JSON does not know).
"""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import msgspec
from tornado.web import RequestHandler

from clicklib.errors import ClicklibError, DataError
from clicklib.web.page import PAGE, POLICY

__all__ = ["Handler"]

LIST_ROWS = 1000
LIST_BYTES = 4 * 2**20
_READABLE = frozenset({"running", "reconnecting"})


class Handler(RequestHandler):
    """Answers one request, on the thread of the endpoint."""

    def initialize(self, view: Any, hosts: frozenset[str], secret: str) -> None:
        self.view, self.hosts, self._secret = view, hosts, secret

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Content-Security-Policy", "default-src 'none'")

    def prepare(self) -> None:
        first, slash, rest = self.request.path[1:].partition("/")
        if slash and compare_digest(first.encode(), self._secret.encode()):
            self.request.path = f"/{rest}"
        elif self.request.host_name not in self.hosts:
            self._answer(403, {"error": "the Host header must name localhost"})

    def get(self) -> None:
        path, query = self.request.path, self.request.query_arguments
        if path == "/healthz":
            state = self.view.state.value
            self._answer(200 if state == "running" else 503, {"state": state})
        elif not path.startswith("/"):
            self._answer(400, {"error": "the path must begin with a slash"})
        elif path != "/":
            self._read(self._value, unquote_to_bytes(path[1:].encode("latin1")))
        elif "key" in query:
            self._read(self._value, query["key"][-1])
        elif "prefix" in query or "limit" in query:
            self._read(self._list, query.get("prefix", [b""])[-1])
        else:
            self.set_header("Content-Security-Policy", POLICY)
            self.set_header("Content-Type", "text/html; charset=utf-8")
            self.finish(PAGE)

    head = get

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if status_code == 405:
            self.set_header("Allow", "GET, HEAD")
        self._answer(status_code, {"error": self._reason})

    def _value(self, key: str) -> tuple[int, Any]:
        value = self.view.get(key)
        if value is None:
            return 404, {"error": "no such key", "key": _shown(key)}
        return 200, msgspec.Raw(_json(value))

    def _list(self, prefix: str) -> tuple[int, Any]:
        limit = self.request.query_arguments.get("limit", [b""])[-1]
        if limit and not limit.isdigit():
            return 400, {"error": "limit must be a whole number"}
        most = min(int(limit), LIST_ROWS) if 0 < len(limit) < 9 else LIST_ROWS
        users, more = _rows(self.view, prefix, most)
        return 200, {"state": self.view.state.value, "users": users, "more": more}

    def _read(self, find: Callable[[str], tuple[int, Any]], raw: bytes) -> None:
        """Answer with what `find` finds in the view, or say why the view cannot be read."""
        if self.view.state.value not in _READABLE:
            return self._unavailable()
        try:
            status, content = find(raw.decode(errors="surrogateescape"))
        except DataError as error:
            return self._answer(500, {"error": _shown(str(error))})
        except ClicklibError as error:
            return self._unavailable(error)
        return self._answer(status, content)

    def _unavailable(self, error: BaseException | None = None) -> None:
        state = self.view.state.value
        answer: dict[str, Any] = {"error": f"the view is {state}", "state": state}
        error = self.view.error or error
        if error is not None:
            answer["error"] = _shown(str(error))
        if state != "failed":
            self.set_header("Retry-After", "1")
            answer["progress"] = self.view.progress
        self._answer(503, answer)

    def _answer(self, status: int, content: Any) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode(content))


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
