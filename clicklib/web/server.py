"""The web endpoint over a view: `GET /{key}` answers with the key's value as JSON.

| request | answer |
|---|---|
| `GET /{key}` | 200 and the value, 404 for no such key, 503 while the view cannot answer |
| `GET /?key={key}` | the same for any key, also the empty one and `healthz` |
| `GET /?prefix={text}&limit={n}` | the keys that begin with `text`, sorted, and their values |
| `GET /` | a page that shows them and updates itself |
| `GET /healthz` | 200 when the view is caught up, else 503 |

A key is percent-decoded to bytes and read as UTF-8; bytes that are not UTF-8 become surrogate
escapes, as everywhere in clicklib. `HEAD` is answered like `GET` without the body.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import hashlib
import html
import socket
import threading
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import msgspec
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from clicklib.errors import ClicklibError, DataError, UsageError

__all__ = ["Endpoint"]

LIST_ROWS = 1000
LIST_BYTES = 4 * 2**20
_HEADER_BYTES = 256 * 2**10  # a key of 64 KiB is three times as long when percent-encoded
_PATIENCE = 60.0  # seconds for a whole header, and for a whole body
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_READABLE = frozenset({"running", "reconnecting"})


class Endpoint:
    """Serves a view over HTTP from a thread of its own.

    `port` 0 takes a free one. Requests must name localhost or `host` in their Host header, so
    that no web site can read the table by pointing its name at this machine.
    """

    def __init__(self, view: Any, port: int = 9095, host: str = "127.0.0.1") -> None:
        if not 0 <= port <= 65535:
            raise UsageError(f"port {port} is not between 0 and 65535")
        self.view, self.host = view, host
        self._wanted = self._port = port
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    @property
    def port(self) -> int:
        """The port that is listened on; before the start the one asked for."""
        return self._port

    @property
    def url(self) -> str:
        """The address of the page, with a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self._port}/"

    def start(self) -> Endpoint:
        """Listen; returns itself once it does. Raises UsageError for a port that is taken."""
        with self._lock:
            if self._thread is None:
                listener = _listen(self._wanted, self.host)
                self._port = listener.getsockname()[1]
                ready = threading.Event()
                self._thread = threading.Thread(
                    target=lambda: asyncio.run(self._serve(listener, ready)),
                    name=f"clicklib-web-{self._port}",
                    daemon=True,
                )
                self._thread.start()
                ready.wait()
        return self

    def stop(self, timeout: float = 10) -> bool:
        """Close all connections and end the thread.

        Waits at most `timeout` seconds, and says whether it has ended.
        """
        with self._lock:
            if self._thread is None:
                return True
            if self._loop is not None and self._stopping is not None:
                with suppress(RuntimeError):  # the loop has been closed
                    self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(timeout)
            if self._thread.is_alive():
                return False
            self._thread = self._loop = self._stopping = None
            return True

    def __enter__(self) -> Endpoint:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Endpoint {self.url} {'stopped' if self._thread is None else 'listening'}>"

    def _repr_html_(self) -> str:
        state = "stopped" if self._thread is None else "listening"
        url = html.escape(self.url)
        return f'Endpoint <a href="{url}" target="_blank">{url}</a> {state}'

    async def _serve(self, listener: socket.socket, ready: threading.Event) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        hosts = _LOCAL_NAMES | {self.host.lower()}
        application = Application(
            [(r".*", _Handler, {"view": self.view, "hosts": hosts})],
            log_function=lambda handler: None,  # a 404 is an answer, nothing to log in a notebook
        )
        server = HTTPServer(
            application,
            max_header_size=_HEADER_BYTES,
            max_body_size=64 * 2**10,  # room for a body that is answered with 405
            idle_connection_timeout=_PATIENCE,
            body_timeout=_PATIENCE,
        )
        server.add_socket(listener)
        ready.set()
        await self._stopping.wait()
        server.stop()
        await server.close_all_connections()


def _listen(port: int, host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"port {port} is taken: stop what listens there (in a notebook perhaps an "
                "endpoint started before), or choose another port; 0 takes a free one"
            ) from error
        raise UsageError(f"cannot listen on port {port} of {host}: {error.strerror}") from error
    listener.setblocking(False)
    return listener


class _Handler(RequestHandler):
    def initialize(self, view: Any, hosts: frozenset[str]) -> None:
        self.view, self.hosts = view, hosts

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Content-Security-Policy", "default-src 'none'")

    def prepare(self) -> None:
        if self.request.host_name not in self.hosts:
            self._answer(403, {"error": "the Host header must name localhost"})

    def get(self) -> None:
        path, query = self.request.path, self.request.query_arguments
        if path == "/healthz":
            state = self.view.state.value
            self._answer(200 if state == "running" else 503, {"state": state})
        elif not path.startswith("/"):
            self._answer(400, {"error": "the path must begin with a slash"})
        elif path != "/":
            self._value(_key(unquote_to_bytes(path[1:].encode("latin1"))))
        elif "key" in query:
            self._value(_key(query["key"][-1]))
        elif "prefix" in query or "limit" in query:
            self._list(_key(query.get("prefix", [b""])[-1]), query.get("limit", [b""])[-1])
        else:
            self.set_header("Content-Security-Policy", _PAGE_POLICY)
            self.set_header("Content-Type", "text/html; charset=utf-8")
            self.finish(_PAGE)

    head = get

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if status_code == 405:
            self.set_header("Allow", "GET, HEAD")
        self._answer(status_code, {"error": self._reason})

    def _value(self, key: str) -> None:
        try:
            if self.view.state.value not in _READABLE:
                return self._unavailable()
            value = self.view.get(key)
        except DataError as error:
            return self._answer(500, {"error": _shown(str(error))})
        except ClicklibError as error:
            return self._unavailable(error)
        if value is None:
            return self._answer(404, {"error": "no such key", "key": _shown(key)})
        return self._answer(200, msgspec.Raw(_json(value)))

    def _list(self, prefix: str, limit: bytes) -> None:
        if limit and not limit.isdigit():
            return self._answer(400, {"error": "limit must be a whole number"})
        most = min(int(limit), LIST_ROWS) if 0 < len(limit) < 9 else LIST_ROWS
        try:
            if self.view.state.value not in _READABLE:
                return self._unavailable()
            users, more = _list(self.view, prefix, most)
        except DataError as error:
            return self._answer(500, {"error": _shown(str(error))})
        except ClicklibError as error:
            return self._unavailable(error)
        state = self.view.state.value
        return self._answer(200, {"state": state, "users": users, "more": more})

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


def _list(view: Any, prefix: str, most: int) -> tuple[list[dict[str, Any]], bool]:
    """At most `most` rows and LIST_BYTES of them, and whether there are more."""
    users: list[dict[str, Any]] = []
    size = 0
    for key, value in view.items(prefix):
        if len(users) == most or size > LIST_BYTES:
            return users, True
        href, encoded = "?key=" + quote(key.encode(errors="surrogateescape"), safe=""), _json(value)
        users.append({"key": _shown(key), "href": href, "value": msgspec.Raw(encoded)})
        size += len(href) + len(encoded)
    return users, False


def _key(raw: bytes) -> str:
    return raw.decode(errors="surrogateescape")


def _shown(text: str) -> str:
    """The text with what JSON cannot carry, lone surrogates, written as escapes."""
    return text.encode(errors="backslashreplace").decode()


def _json(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value, enc_hook=str)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        return msgspec.json.encode(_shown(str(value)))


_STYLE = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 50rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .25rem 1rem .25rem 0; border-bottom: 1px solid #8888 }
th, td { overflow-wrap: anywhere; vertical-align: top }
"""

_SCRIPT = """
const body = document.querySelector("tbody");
const prefix = document.querySelector("input");
const report = document.querySelector("[role=status]");
function say(text) { if (report.textContent !== text) report.textContent = text; }
function draw({users, more, state, error}) {
  if (!users) return say(error);
  while (body.rows.length > users.length) body.deleteRow(-1);
  users.forEach(({key, href, value}, i) => {
    let row = body.rows[i];
    if (!row) {
      row = body.insertRow();
      const head = document.createElement("th");
      head.scope = "row";
      head.append(document.createElement("a"));
      row.append(head, document.createElement("td"));
    }
    const link = row.querySelector("a");
    link.textContent = key === "" ? "(empty)" : key;
    link.setAttribute("href", href);
    row.cells[1].textContent = JSON.stringify(value);
  });
  const count = users.length + (users.length === 1 ? " user" : " users");
  say((more ? "The first " : "") + count + (state === "running" ? "" : ", " + state));
}
async function update() {
  const asked = prefix.value;
  try {
    const answer = await (await fetch("?prefix=" + encodeURIComponent(asked))).json();
    if (asked === prefix.value) draw(answer);
  } catch { say("No answer from the endpoint"); }
}
async function repeat() { await update(); setTimeout(repeat, 1000); }
prefix.addEventListener("input", update);
repeat();
"""

_PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>User clicks</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
</head>
<body>
<h1>User clicks</h1>
<label>Users that begin with <input type="search" autocomplete="off"></label>
<p role="status">Reading the table</p>
<table aria-label="Users and their values">
<thead><tr><th scope="col">User</th><th scope="col">Value</th></tr></thead>
<tbody></tbody>
</table>
<noscript>This page needs JavaScript; GET /?prefix= gives the same as JSON.</noscript>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_PAGE_POLICY = (
    f"default-src 'none'; script-src {_hash(_SCRIPT)}; style-src {_hash(_STYLE)}; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors http://localhost:* http://127.0.0.1:*"
)
