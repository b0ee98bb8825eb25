"""A TCP proxy before a Kafka broker, whose connections can be made to fail.

    [proxy] = proxies(cluster)
    Processor(proxy.address, graph).start()
    proxy.cut()

A broker tells its clients where it listens, and they would go there, past the proxy. So in the
broker's answers its address is replaced by the proxy's: both are on 127.0.0.1, and in each version
of the protocol the host is followed by the port in four bytes, so that no length changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any

from clicklib.client.cluster import Cluster

__all__ = ["HOST", "Proxy", "proxies"]

HOST = "127.0.0.1"


def proxies(cluster: Cluster) -> list[Proxy]:
    """A proxy for each broker of a cluster; a client that is given one meets no other broker."""
    made = [Proxy(int(address.rpartition(":")[2])) for address in cluster.addresses]
    for proxy in made:
        proxy.said = {_place(other.broker): _place(other.port) for other in made}
    return made


def _place(port: int) -> bytes:
    """How a broker's answers name where it listens."""
    return HOST.encode() + struct.pack(">i", port)


class Proxy:
    """Stands before one broker, on a thread of its own. Any thread may call its methods.

    `delay` (seconds) holds up what comes in either direction; `rate` (bytes a second, of each
    connection) makes the link slow; 0 for none.
    """

    def __init__(self, broker: int) -> None:
        self.delay = self.rate = 0.0
        self.broker = broker
        self.said: dict[bytes, bytes] = {}
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}  # writers to clients
        self._flows = asyncio.Event()
        self._flows.set()
        self._socket = socket.create_server((HOST, 0))
        self.port = self._socket.getsockname()[1]
        self.address = f"{HOST}:{self.port}"
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._do(self._listen())

    def cut(self) -> None:
        """Reset all connections (RST); new ones are let in."""
        self._do(self._cut())

    def refuse(self) -> None:
        """Reset all connections and let none in until `heal`."""
        self._do(self._refuse())

    def freeze(self) -> None:
        """Keep the connections, and let nothing pass until `heal`."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def heal(self) -> None:
        """End all faults."""
        self.delay = self.rate = 0.0
        self._do(self._heal())

    def close(self) -> None:
        self._do(self._refuse())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, step: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(step, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, sock=self._socket)

    async def _cut(self) -> None:
        tasks = list(self._open.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._cut()

    async def _heal(self) -> None:
        self._flows.set()
        if self._server is None:
            self._socket = socket.create_server((HOST, self.port))
            await self._listen()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[writer] = task
        with contextlib.ExitStack() as ends:
            ends.callback(self._open.pop, writer)
            ends.callback(_reset, writer)
            with contextlib.suppress(OSError, asyncio.CancelledError, ExceptionGroup):
                back, onward = await asyncio.open_connection(HOST, self.broker)
                ends.callback(_reset, onward)
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._pump(reader, onward, {}))
                    both.create_task(self._pump(back, writer, self.said))

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: dict[bytes, bytes]
    ) -> None:
        """Pass on what comes until it ends; the end of one side ends the other."""
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(100)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._take(reader, waiting))
            both.create_task(self._give(waiting, writer, said))

    async def _take(self, reader: asyncio.StreamReader, waiting: asyncio.Queue[Any]) -> None:
        data = b"begin"
        while data:
            data = await reader.read(65_536)
            await waiting.put((self._loop.time() + self.delay, data))

    async def _give(
        self, waiting: asyncio.Queue[Any], writer: asyncio.StreamWriter, said: dict[bytes, bytes]
    ) -> None:
        kept = b""  # the beginning of an address whose end is still to come
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            await self._flows.wait()
            if not data:
                raise ConnectionError("the other side has ended")
            data = kept + data
            for old, new in said.items():
                data = data.replace(old, new)
            kept = _beginning(data, list(said))
            data = data[: len(data) - len(kept)]
            while data:
                step = max(1, int(self.rate / 20)) if self.rate else len(data)
                writer.write(data[:step])
                data = data[step:]
                await writer.drain()
                await asyncio.sleep(step / self.rate if self.rate else 0)


def _beginning(data: bytes, places: list[bytes]) -> bytes:
    """The longest end of `data` with which one of `places` begins."""
    ends = (place[:n] for place in places for n in range(1, len(place)))
    return max((end for end in ends if data.endswith(end)), key=len, default=b"")


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close at once, with an RST."""
    with contextlib.suppress(OSError):  # it is closed already
        at_once = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    writer.transport.abort()
