"""Users of a hub who run a notebook through their own servers, as a browser would."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

from tests.browser.hub import Hub

_COUNTED = "print(sum(row.clicks for _, row in view.items()))"
_PICTURE = "application/vnd.jupyter.widget-view+json"
_PARTS = {
    "ipykernel": "kernel",
    "singleuser": "server",
    "kafka.Kafka": "Kafka",
    "clicklib.broker": "Kafka",
}


@dataclass
class Reader:
    """A user who runs a notebook from top to bottom, and the seconds at which things were there."""

    hub: Hub
    name: str
    begin: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)
    counted: int = 0

    async def run(self, notebook: str) -> None:
        """Start the user's server and a kernel, and run all cells."""
        await self._ask("POST", f"hub/api/users/{self.name}")
        await self._ask("POST", f"hub/api/users/{self.name}/server")
        while not await self._has_server():
            await asyncio.sleep(0.2)
        self._note("server")
        path = f"course/notebooks/{notebook}.ipynb"
        session = {"path": path, "name": notebook, "type": "notebook"}
        session |= {"kernel": {"name": "python3"}}
        opened = await self._ask("POST", f"user/{self.name}/api/sessions", session)
        self._channels = f"user/{self.name}/api/kernels/{opened['kernel']['id']}/channels"
        await self._connect()
        self._note("kernel")
        try:
            await self._run_all(path)
        finally:
            self._socket.close()
            await self._closed.wait()

    async def _run_all(self, path: str) -> None:
        book = json.loads((self.hub.home(self.name) / path).read_text("utf-8"))
        for cell in book["cells"]:
            if cell["cell_type"] == "code":
                await self.execute("".join(cell["source"]), cell["id"])
        self._note("all cells")
        self.counted = int(await self.execute(_COUNTED))

    async def _has_server(self) -> bool:
        servers = (await self._ask("GET", f"hub/api/users/{self.name}"))["servers"]
        return any(each["ready"] for each in servers.values())

    async def execute(self, source: str, cell: str = "") -> str:
        """Run a cell, and return what it prints."""
        number = uuid.uuid4().hex
        header = {"msg_id": number, "msg_type": "execute_request", "version": "5.3"}
        header |= {"username": self.name, "session": self._session}
        message = {"header": header, "parent_header": {}, "metadata": {"cellId": cell}}
        content = {"code": source, "silent": False, "stop_on_error": True}
        ended = self._ended[number] = asyncio.get_running_loop().create_future()
        await self._socket.write_message(
            json.dumps({**message, "content": content, "channel": "shell", "buffers": []})
        )
        return await asyncio.wait_for(ended, 300)

    async def _connect(self) -> None:
        self._session, self._closed = uuid.uuid4().hex, asyncio.Event()
        self._ended: dict[str, asyncio.Future[str]] = {}
        self._said: dict[str, str] = {}
        self._socket = await websocket_connect(
            self._request(self._channels, scheme="ws"),
            on_message_callback=self._hear,
            max_message_size=1 << 26,
        )

    def _hear(self, text: str | bytes | None) -> None:
        """Note outputs, the first picture, and the end of a cell. The socket's loop calls it."""
        if text is None:
            self._closed.set()
        if not isinstance(text, str):  # the end, or a message with binary data
            return
        message = json.loads(text)
        kind, content = message["header"]["msg_type"], message["content"]
        number = message["parent_header"].get("msg_id", "")
        if _PICTURE in content.get("data", {}):
            self._note("picture")
        ended = self._ended.get(number)
        if ended is None or ended.done():
            return
        if kind == "stream" and content["name"] == "stdout":
            self._said[number] = self._said.get(number, "") + content["text"]
        elif kind == "error":
            ended.set_exception(AssertionError(f"{self.name}: {content['evalue']}"))
        elif kind == "status" and content["execution_state"] == "idle":
            ended.set_result(self._said.get(number, ""))

    def _note(self, what: str) -> None:
        self.seconds.setdefault(what, time.monotonic() - self.begin)

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if method == "GET" else json.dumps(body) if body else ""
        answer = await AsyncHTTPClient().fetch(self._request(path, method=method, body=data))
        return json.loads(answer.body) if answer.body else None

    def _request(self, path: str, scheme: str = "http", **options: Any) -> HTTPRequest:
        address = self.hub.address.replace("http", scheme, 1) + path
        headers = {"Authorization": f"token {self.hub.token}"}
        patience = {"connect_timeout": 120.0, "request_timeout": 120.0}
        return HTTPRequest(address, headers=headers, **patience, **options)


def at_once(readers: list[Reader], notebook: str) -> list[Reader]:
    """All of them run a notebook at the same time, and leave their kernels as they are."""

    async def run() -> None:
        await asyncio.gather(*(each.run(notebook) for each in readers))

    with ThreadPoolExecutor(1) as pool:  # while Playwright is there, this thread has a loop
        pool.submit(asyncio.run, run()).result()
    return readers


def memory(home: Path) -> Counter[str]:
    """What the programs of a user hold, in MB. Of what several programs share each has a part."""
    sizes: Counter[str] = Counter()
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOME") == str(home):
                command = " ".join(process.cmdline())
                part = next((name for mark, name in _PARTS.items() if mark in command), "other")
                sizes[part] += process.memory_full_info().pss >> 20
        except psutil.Error:  # it has ended
            pass
    return sizes
