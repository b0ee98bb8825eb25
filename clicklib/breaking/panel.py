"""The breaking panel: buttons that do to real parts what happens to them in production."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

import psutil

from clicklib.breaking.brokers import BreakableBroker
from clicklib.breaking.faults import Fault, faults_of
from clicklib.breaking.processor import BreakableProcessor
from clicklib.client.cluster import Brokers, Cluster
from clicklib.errors import ClicklibError, UsageError
from clicklib.given import check
from clicklib.widgets import Ledger
from clicklib.widgets.picture import Picture, asset

__all__ = ["BreakingPanel"]


@dataclass(eq=False)
class _Going:
    """A fault that is going on."""

    fault: Fault
    undo: threading.Event = field(default_factory=threading.Event)
    ends: float | None = None  # None before it has begun, and if it is not known


class BreakingPanel(Picture):
    """Buttons that break `processors`, and the `brokers` of a local cluster of several.

    Each fault ends by itself after some seconds; a second press ends it now. A target has one fault
    at a time, and so have all brokers together, because three do not go on without two of them. A
    fault is marked on the strip of `ledger`. When the panel is closed, every fault ends.

    The panel knows what it did, and whether the programs run. What the group and the cluster make
    of it, it does not know: a PartitionMap, a ClusterMap and a Ledger show that.
    """

    _esm = asset("panel.js", Path(__file__).parent)

    def __init__(
        self,
        processors: BreakableProcessor | Sequence[BreakableProcessor],
        brokers: Brokers | None = None,
        *,
        ledger: Ledger | None = None,
    ) -> None:
        self.ledger = ledger
        self._going: dict[int, _Going] = {}
        self._lock = threading.Lock()
        check(processors=processors, ledger=ledger)
        given = [processors] if isinstance(processors, BreakableProcessor) else [*processors]
        self._targets: list[BreakableProcessor | BreakableBroker] = [*given, *_brokers(brokers)]
        users = " and ".join(given[0].slow_users) if given else ""
        self._faults = {target.kind: faults_of(target) for target in self._targets}
        self._buttons = {
            kind: [
                asdict(each) | {"expect": each.expect.replace("`slow_users`", users)}
                for each in faults.values()
            ]
            for kind, faults in self._faults.items()
        }
        self._told = self._error = ""
        super().__init__()

    def press(self, fault: str, target: int = 0) -> None:
        """Cause the fault named so at a target, soon; end it, if it is going on there.

        Targets are numbered from 0 on: the processors, then the brokers. Nothing happens where the
        panel's button would be grey.
        """
        check(fault=fault, target=target)
        if self.closed:
            return
        if target >= len(self._targets):
            raise UsageError(f"target is below {len(self._targets)}, not {target}")
        known = self._faults[self._targets[target].kind]
        if fault not in known:
            raise UsageError(f"fault is one of {', '.join(known)}, not {fault!r}")
        found = known[fault]
        with self._lock:
            going = self._going.get(target)
            if going is not None:
                if going.fault is found and found.undo:
                    going.undo.set()
            elif not self._impossible(target, fault):
                self._going[target] = _Going(found)
                threading.Thread(
                    target=self._break, args=(target,), name="clicklib breaks", daemon=True
                ).start()

    def told(self, message: dict[str, Any]) -> None:
        if "press" in message:
            self.press(message["press"], message["target"])

    def rest(self) -> None:
        self._undo_all()
        super().rest()
        self.paint()  # all buttons are grey

    def end(self) -> None:
        super().end()
        self._undo_all()
        self._targets = []  # a processor that nobody else has ends now

    def look(self) -> dict[str, Any]:
        with self._lock:
            targets = [self._describe(number) for number in range(len(self._targets))]
        return {
            "buttons": self._buttons,
            "targets": targets,
            "told": self._told,
            "error": self._error,
        }

    def _describe(self, number: int) -> dict[str, Any]:
        target, going = self._targets[number], self._going.get(number)
        ends = None if going is None else going.ends
        return {
            "kind": target.kind,
            "name": self._name(number),
            "state": target.state,
            "on": going.fault.name if going else "",
            "left": None if ends is None else max(0, ceil(ends - time.monotonic())),
            "off": {each: self._impossible(number, each) for each in self._faults[target.kind]},
        }

    def _name(self, number: int) -> str:
        kind = self._targets[number].kind
        return f"{kind} {sum(each.kind == kind for each in self._targets[: number + 1])}"

    def _impossible(self, number: int, fault: str) -> str:
        """Why this fault cannot be caused now; empty if it can."""
        target = self._targets[number]
        if self.resting or self.closed:
            return "Everything is stopped."
        if number in self._going:
            return "One fault at a time."
        if target.kind == "broker" and any(self._targets[n].kind == "broker" for n in self._going):
            return "One broker at a time."
        return target.impossible(fault)

    def _break(self, number: int) -> None:
        """Cause a fault, wait, and heal. The fault's own thread runs it."""
        target, going, name = self._targets[number], self._going[number], self._name(number)
        fault, self._error = going.fault, ""
        try:
            try:
                getattr(target, fault.name)()
                self._told = f"{name} is {fault.word}"
                if self.ledger is not None:
                    self.ledger.mark(f"{name} {fault.word}")
                going.ends = time.monotonic() + fault.seconds if fault.seconds else None
                going.undo.wait(fault.seconds)
            finally:
                target.heal()
            self._told = f"{name} was {fault.word}, and is healed"
        except (ClicklibError, OSError, RuntimeError, psutil.Error) as exc:
            self._error = f"{name} is not {fault.word}: {exc}"
        finally:
            with self._lock:
                del self._going[number]

    def _undo_all(self) -> None:
        with self._lock:
            for going in self._going.values():
                going.undo.set()


def _brokers(brokers: Brokers | None) -> list[BreakableBroker]:
    """The brokers of a cluster as targets."""
    if brokers is None:
        return []
    cluster = Cluster.of(brokers)
    count = len(cluster.addresses)
    if count < 2:
        raise UsageError(
            "brokers has one address, and a panel breaks one of several brokers: alone it is all"
        )
    return [BreakableBroker(cluster, number) for number in range(1, count + 1)]
