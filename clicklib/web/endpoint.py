"""The web endpoint over a view: `GET /{key}` answers with the key's value as JSON.

| request | answer |
|---|---|
| `GET /{key}` | 200 and the value, 404 for no such key, 503 while the view cannot answer |
| `GET /?key={key}` | the same for any key, also the empty one and `healthz` |
| `GET /?prefix={text}&limit={n}` | the keys that begin with `text`, sorted, and their values |
| `GET /` | a page that shows them and updates itself |
| `GET /healthz` | 200 when the view is caught up, else 503 |
| `GET /{secret}/…` | the same as without `/{secret}`, whatever name the Host header has |

A Host header with a foreign name is refused: else a web site could point its own name at this
machine and read the table in a reader's browser. A proxy keeps the name under which the browser
knows the proxy. So the link that leads through Jupyter contains a secret of the endpoint, which
takes the place of the rule. The endpoint shows this link to its notebook alone, and it ends with
the endpoint. A web site cannot know it. A header that the proxy adds would not do: a page may set
any such header in its requests.

`handler` finds the answers; `page` is the page; `jupyter` finds the way through Jupyter.
"""

from __future__ import annotations

import asyncio
import errno
import html
import secrets
import socket
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from tornado.httpserver import HTTPServer

from clicklib.engine.at_exit import closed_at_exit
from clicklib.errors import UsageError
from clicklib.given import check
from clicklib.web.handler import Handler
from clicklib.web.jupyter import proxied_path

__all__ = ["Endpoint"]

_HEADER_BYTES = 256 * 2**10  # a key of 64 KiB is three times as long when percent-encoded
_PATIENCE = 60.0  # seconds for a whole header, and for a whole body
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_AT_LOCALHOST = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "::1", "::"})  # noqa: S104, compared


class Endpoint:
    """Serves a view over HTTP from a thread of its own.

    `port` 0 takes a free one. Requests must name localhost or `host` in their Host header, so
    that no web site can read the table by pointing its name at this machine. `proxied` is the way
    for a browser on another machine.
    """

    def __init__(self, view: Any, port: int = 9095, host: str = "127.0.0.1") -> None:
        check(view=view, port=port, host=host)
        self.view, self.host = view, host
        self._wanted = self._port = port
        self._secret = secrets.token_hex(16)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    @property
    def port(self) -> int:
        """The port that the endpoint listens on; before the start, the port that was wanted."""
        return self._port

    @property
    def url(self) -> str:
        """The address of the page, with a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self._port}/"

    @property
    def proxied(self) -> str | None:
        """The path of the page at the Jupyter server of this kernel, or None without a server.

        A browser that shows the notebook reaches it, wherever the kernel runs. The server needs
        the package jupyter-server-proxy.
        """
        path = proxied_path(self._port) if self.host in _AT_LOCALHOST else None
        return None if path is None else f"{path}{self._secret}/"

    def start(self) -> Endpoint:
        """Begin to listen, and return itself. Raises UsageError for a port that is taken."""
        with self._lock:
            if self._thread is None:
                listener = _listen(self._wanted, self.host)
                self._port = listener.getsockname()[1]
                ready: Future[None] = Future()
                thread = threading.Thread(
                    target=lambda: self._run(listener, ready),
                    name=f"clicklib-web-{self._port}",
                    daemon=True,
                )
                thread.start()
                ready.result()
                self._thread = thread
                closed_at_exit(self, self.stop)
        return self

    def _run(self, listener: socket.socket, ready: Future[None]) -> None:
        try:
            asyncio.run(self._serve(listener, ready))
        except BaseException as exc:
            if ready.done():
                raise
            listener.close()
            ready.set_exception(exc)

    def stop(self, timeout: float = 10) -> bool:
        """Close all connections and end the thread.

        Waits at most `timeout` seconds; says whether the thread has ended.
        """
        check(timeout__or_none=timeout)
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
        through = "" if self.proxied is None else f", through Jupyter {self.proxied}"
        return f"<Endpoint {self.url} {self._state()}{through}>"

    def _repr_html_(self) -> str:
        text = f"Endpoint {_link(self.url, self.url)} {self._state()}"
        if self.proxied is None:
            return text
        return f"{text}. From another machine: {_link(self.proxied, 'the same through Jupyter')}"

    def _state(self) -> str:
        return "stopped" if self._thread is None else "listening"

    async def _serve(self, listener: socket.socket, ready: Future[None]) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        hosts = _LOCAL_NAMES | {self.host.lower()}
        server = HTTPServer(
            Handler(self.view, hosts, self._secret),
            max_header_size=_HEADER_BYTES,
            max_body_size=64 * 2**10,  # room for a body that is answered with 405
            idle_connection_timeout=_PATIENCE,
            body_timeout=_PATIENCE,
        )
        server.add_socket(listener)
        ready.set_result(None)
        await self._stopping.wait()
        server.stop()
        await server.close_all_connections()


def _link(address: str, text: str) -> str:
    return f'<a href="{html.escape(address)}" target="_blank">{html.escape(text)}</a>'


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
    except (TypeError, ValueError) as error:  # NUL, two dots, or 64 letters without one
        raise UsageError(f"cannot listen on port {port} of {host!r}: {error}") from error
    listener.setblocking(False)
    return listener
