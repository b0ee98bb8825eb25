"""The stage of the soak: a broker of its own, the parts, and what may befall them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from clicklib import Cluster, broker
from clicklib.breaking.proxy import Proxy, proxies
from tests.support.half_close import half_close
from tests.support.parts import Ledger, Part, graph
from tests.waiting import wait_until

TOPIC, GROUP = "soak-clicks", "soak"
SESSION = 3.0  # seconds until the group gives up a silent member
# Seconds until it gives up one that does not join: a broker that was killed at the wrong moment
# waits for one that is no more (docs/reliability.md).
MAX_POLL_INTERVAL = 45.0


def _until_healed(fault: Callable[[Proxy], None]) -> Callable[[Stage, str, float], None]:
    """A fault of a part's connections that ends after a while."""

    def act(stage: Stage, name: str, length: float) -> None:
        fault(stage.proxies[name])
        time.sleep(length)
        stage.proxies[name].heal()

    return act


class Stage:
    """Three processors, two views, two emitters, each with a proxy of its own."""

    def __init__(self, cluster: Cluster, folder: Path, guarantee: str, rate: float) -> None:
        self.cluster, self.folder = cluster, folder
        self.guarantee, self.rate = guarantee, rate
        self.ledger = Ledger(folder)
        self.parts: dict[str, Part] = {}
        self.proxies: dict[str, Proxy] = {}
        self.graph = graph(GROUP, TOPIC)

    def _start(self, kind: str, name: str, **options: Any) -> None:
        if name not in self.proxies:
            [self.proxies[name]] = proxies(self.cluster)
        address = self.proxies[name].address
        self.parts[name] = Part(kind, name, self.folder, cluster=address, **options)

    def start_processor(self, name: str) -> None:
        self._start(
            "processor",
            name,
            group=GROUP,
            topic=TOPIC,
            guarantee=self.guarantee,
            session_timeout=SESSION,
            max_poll_interval=MAX_POLL_INTERVAL,
            connect_timeout=60,
            state_dir=str(self.folder / name),
            told=str(self.folder / f"{name}.json"),
        )

    def start_view(self, name: str) -> None:
        told, state = str(self.folder / f"{name}.json"), str(self.folder / name)
        self._start(
            "view", name, table=self.graph.table, told=told, state_dir=state, connect_timeout=60
        )

    def start_emitter(self, name: str, run: int = 0) -> None:
        each, rate = f"{name}-{run}", self.rate / 2
        tally = str(self.ledger.open(each))
        self._start("emitter", name, topic=TOPIC, sender=each, tally=tally, rate=rate)

    def begin(self) -> None:
        """The first processor has all partitions once, and so all stores open from then on."""
        self.start_processor("processor-0")
        wait_until("the first processor has partitions", self._told("processor-0", 10))
        for name in ("processor-1", "processor-2"):
            self.start_processor(name)
        for name in ("emitter-0", "emitter-1"):
            self.start_emitter(name)
        for name in ("view-0", "view-1"):
            self.start_view(name)

    def _told(self, name: str, count: int) -> Callable[[], bool]:
        told = self.folder / f"{name}.json"
        return lambda: told.exists() and len(json.loads(told.read_text())) == count

    def leave(self, *kinds: str) -> list[str]:
        """Let all of these kinds end cleanly; returns how they did not."""
        wrong = []
        for part in list(self.parts.values()):
            if part.kind in kinds:
                del self.parts[part.name]
                try:
                    part.leave()
                except AssertionError as exc:
                    wrong.append(str(exc))
                    part.kill()
        return wrong

    def end(self) -> None:
        for part in self.parts.values():
            part.kill()
        for proxy in self.proxies.values():
            proxy.close()

    # What may befall them, `name` and for how long (seconds). Each may run on a thread of its own.

    def _kill(self, name: str, length: float) -> None:
        part = self.parts[name]
        part.kill()
        time.sleep(length / 2)
        if part.kind == "emitter":
            self.start_emitter(name, len(self.ledger))
        else:
            part.start()

    def _suspend(self, name: str, length: float) -> None:
        self.parts[name].suspend()
        time.sleep(length)
        self.parts[name].resume()

    def _cut(self, name: str, length: float) -> None:
        self.proxies[name].cut()

    def _come_again(self, name: str, length: float) -> None:
        self.parts[name].leave()
        time.sleep(length / 2)
        self.parts[name].start()

    def _kill_broker(self, name: str, length: float) -> None:
        self._java().kill()

    def _suspend_broker(self, name: str, length: float) -> None:
        java = self._java()
        java.suspend()
        time.sleep(length)
        java.resume()

    def _java(self) -> psutil.Process:
        def found() -> list[int]:
            return [pid for status in broker.status() if status.running for pid in status.java]

        [pid] = wait_until("the broker runs", found)
        return psutil.Process(pid)

    _ALL = ("processor-0", "processor-1", "processor-2", "view-0", "view-1", "emitter-0")
    KINDS: dict[str, tuple[Callable[[Stage, str, float], None], tuple[str, ...], int]] = {
        "kill a processor": (_kill, ("processor-1", "processor-2"), 4),
        "suspend a processor": (_suspend, ("processor-0", "processor-1", "processor-2"), 3),
        "a processor leaves and joins": (_come_again, ("processor-1", "processor-2"), 3),
        "kill a view": (_kill, ("view-1",), 2),
        "suspend a view": (_suspend, ("view-0", "view-1"), 1),
        "kill an emitter": (_kill, ("emitter-1",), 2),
        "suspend an emitter": (_suspend, ("emitter-0", "emitter-1"), 1),
        "cut connections": (_cut, _ALL, 3),
        "freeze connections": (_until_healed(Proxy.freeze), _ALL, 2),
        "half-close connections": (_until_healed(half_close), _ALL, 1),
        "slow connections": (
            _until_healed(lambda proxy: setattr(proxy, "rate", 20_000.0)),
            _ALL,
            1,
        ),
        "delay connections": (_until_healed(lambda proxy: setattr(proxy, "delay", 0.5)), _ALL, 1),
        "kill the broker": (_kill_broker, ("broker",), 2),
        "suspend the broker": (_suspend_broker, ("broker",), 1),
    }
