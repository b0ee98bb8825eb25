"""The soak: processors, views and emitters under random faults, and every click accounted for.

    python -m tests.soak --minutes 10 --guarantee exactly_once --seed 7

Three processors, two views and two emitters, each a process of its own that reaches the broker
through a proxy of its own. Every few seconds one of them, or the broker, is killed, suspended, cut
off, or leaves and comes again. One of each kind is never killed: its memory, threads and handles
must not grow. At the end all have to agree with a table that is read anew, and that one with what
the emitters sent. What is random comes from the seed, which is printed; moments differ all the
same. Exits with 1 and the reasons when something is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from clicklib import View, broker
from clicklib.codec import Json
from clicklib.groups import Groups
from clicklib.topics import TopicManager
from tests.parts import Ledger, Part, Row, graph, unseen
from tests.proxy import Proxy, proxies
from tests.waiting import wait_until

TOPIC, GROUP = "soak-clicks", "soak"
SESSION = 3.0  # seconds until the group gives up a silent member
RIGHT_WITHIN = 90.0  # seconds
GROWTH = {"memory_mb": 64, "threads": 4, "handles": 12}  # more is a leak


@dataclass
class Fault:
    """`right` is how many seconds after its beginning all views held every click that was
    acknowledged meanwhile, of clicks made after it as well."""

    kind: str
    victim: str
    begun: float
    length: float
    before: dict[str, list[int]]
    target: dict[str, list[int]] | None = None
    right: float | None = None

    def look(self, acknowledged: dict[str, list[int]], views: list[dict[str, Row]]) -> None:
        if self.target is None:
            gains = zip(_by_user(acknowledged), _by_user(self.before), strict=True)
            if all(now > then for now, then in gains):
                self.target = acknowledged
        elif not any(unseen(self.target, rows) for rows in views):
            self.right = time.monotonic() - self.begun


def _by_user(acknowledged: dict[str, list[int]]) -> list[int]:
    return [sum(each) for each in zip(*acknowledged.values(), strict=True)]


class _Wrong(Exception):
    """Something is wrong, as `Soak.wrong` says: there is no need to go on."""


class Soak:
    """One run. `wrong` gathers what must not be."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.random = random.Random(options.seed)
        self.ledger = Ledger(folder)
        self.faults: list[Fault] = []
        self.wrong: list[str] = []
        self.parts: dict[str, Part] = {}
        self.proxies: dict[str, Proxy] = {}
        self.busy: set[str] = set()  # those under a fault
        self.threads: list[threading.Thread] = []
        self.graph = graph(GROUP, TOPIC)

    def run(self) -> dict[str, Any]:
        """All of it; returns the figures."""
        rows: dict[str, Row] = {}
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        with ExitStack() as stack, suppress(_Wrong):
            self.cluster = broker.use(progress=False)
            stack.callback(broker.release)
            stack.callback(broker.stop)
            with TopicManager(self.cluster) as topics:
                topics.ensure_stream(TOPIC)
            stack.callback(self._end)
            self._begin()
            before = self._resources()
            self._attack()
            self._settle("after the faults")
            after = self._resources()
            self._leave("emitter")
            rows = self._settle("when no click comes any more")
            self._leave("processor", "view")
            self.wrong += self.ledger.wrong(rows, self.options.guarantee == "exactly_once")
            self._compare(before, after)
        return self._figures(rows, before, after)

    # The parts.

    def _start(self, kind: str, name: str, **options: Any) -> None:
        if name not in self.proxies:
            [self.proxies[name]] = proxies(self.cluster)
        address = self.proxies[name].address
        self.parts[name] = Part(kind, name, self.folder, cluster=address, **options)

    def _start_processor(self, name: str) -> None:
        self._start(
            "processor",
            name,
            group=GROUP,
            topic=TOPIC,
            guarantee=self.options.guarantee,
            session_timeout=SESSION,
            connect_timeout=60,
            state_dir=str(self.folder / name),
            told=str(self.folder / f"{name}.json"),
        )

    def _start_view(self, name: str) -> None:
        told, state = str(self.folder / f"{name}.json"), str(self.folder / name)
        self._start(
            "view", name, table=self.graph.table, told=told, state_dir=state, connect_timeout=60
        )

    def _start_emitter(self, name: str, run: int = 0) -> None:
        each, rate = f"{name}-{run}", self.options.rate / 2
        tally = str(self.ledger.open(each))
        self._start("emitter", name, topic=TOPIC, sender=each, tally=tally, rate=rate)

    def _begin(self) -> None:
        """The first processor has all partitions once, and so all stores open from then on."""
        self._start_processor("processor-0")
        wait_until("the first processor has partitions", self._told("processor-0", 10), 60)
        for name in ("processor-1", "processor-2"):
            self._start_processor(name)
        for name in ("emitter-0", "emitter-1"):
            self._start_emitter(name)
        for name in ("view-0", "view-1"):
            self._start_view(name)
        self._settle("at the beginning")

    def _told(self, name: str, count: int) -> Callable[[], bool]:
        told = self.folder / f"{name}.json"
        return lambda: told.exists() and len(json.loads(told.read_text())) == count

    def _leave(self, *kinds: str) -> None:
        for part in list(self.parts.values()):
            if part.kind in kinds:
                del self.parts[part.name]
                try:
                    part.leave()
                except AssertionError as exc:
                    self.wrong.append(str(exc))
                    part.kill()

    def _end(self) -> None:
        for thread in self.threads:
            thread.join()
        for part in self.parts.values():
            part.kill()
        for proxy in self.proxies.values():
            proxy.close()

    # The faults. Each of these runs on a thread of its own.

    def _kill(self, name: str, length: float) -> None:
        part = self.parts[name]
        part.kill()
        time.sleep(length / 2)
        if part.kind == "emitter":
            self._start_emitter(name, len(self.faults))
        else:
            part.start()

    def _suspend(self, name: str, length: float) -> None:
        self.parts[name].suspend()
        time.sleep(length)
        self.parts[name].resume()

    def _cut(self, name: str, length: float) -> None:
        self.proxies[name].cut()

    def _freeze(self, name: str, length: float) -> None:
        self.proxies[name].freeze()
        time.sleep(length)
        self.proxies[name].heal()

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

        [pid] = wait_until("the broker runs", found, 60)
        return psutil.Process(pid)

    _ALL = ("processor-0", "processor-1", "processor-2", "view-0", "view-1", "emitter-0")
    _KINDS: dict[str, tuple[Callable[[Soak, str, float], None], tuple[str, ...], int]] = {
        "kill a processor": (_kill, ("processor-1", "processor-2"), 4),
        "suspend a processor": (_suspend, ("processor-0", "processor-1", "processor-2"), 3),
        "a processor leaves and joins": (_come_again, ("processor-1", "processor-2"), 3),
        "kill a view": (_kill, ("view-1",), 2),
        "suspend a view": (_suspend, ("view-0", "view-1"), 1),
        "kill an emitter": (_kill, ("emitter-1",), 2),
        "suspend an emitter": (_suspend, ("emitter-0", "emitter-1"), 1),
        "cut connections": (_cut, _ALL, 3),
        "freeze connections": (_freeze, _ALL, 2),
        "kill the broker": (_kill_broker, ("broker",), 2),
        "suspend the broker": (_suspend_broker, ("broker",), 1),
    }

    def _inject(self) -> None:
        kinds = list(self._KINDS)
        [kind] = self.random.choices(kinds, [self._KINDS[kind][2] for kind in kinds])
        act, victims, _ = self._KINDS[kind]
        victim, length = self.random.choice(victims), self.random.uniform(0.2, 2 * SESSION)
        if victim in self.busy:
            return
        fault = Fault(kind, victim, time.monotonic(), length, self.ledger.acknowledged())
        self.faults.append(fault)
        self.busy.add(victim)

        def run() -> None:
            try:
                act(self, victim, length)
            except Exception as exc:
                self.wrong.append(f"{kind}, {victim}: {exc}")
            self.busy.discard(victim)

        self.threads.append(threading.Thread(target=run, name=kind))
        self.threads[-1].start()

    def _attack(self) -> None:
        """Most faults come when the last one is over and all is right; some come before."""
        end = time.monotonic() + 60 * self.options.minutes
        due = next_line = 0.0
        patient = True
        while (now := time.monotonic()) < end and not self.wrong:
            self._look()
            if now > due and not (patient and (self._open_faults() or self.busy)):
                self._inject()
                due, patient = now + self.random.uniform(0.5, 3.0), self.random.random() < 0.7
            if now > next_line:
                next_line = now + 5
                self._print_progress(end - now)
            time.sleep(0.1)
        for thread in self.threads:
            thread.join()

    # Looking.

    def _views(self) -> list[dict[str, Row]]:
        return [part.tells().rows for part in self.parts.values() if part.kind == "view"]

    def _open_faults(self) -> list[Fault]:
        return [fault for fault in self.faults if fault.right is None]

    def _look(self) -> None:
        """See which faults are over, and whether all live that should."""
        acknowledged, views = self.ledger.acknowledged(), self._views()
        for fault in self._open_faults():
            fault.look(acknowledged, views)
            if fault.right is None and time.monotonic() - fault.begun > RIGHT_WITHIN:
                fault.right = RIGHT_WITHIN
                missing = [unseen(acknowledged, rows) for rows in views]
                self.wrong.append(
                    f"{fault.kind} ({fault.victim}, {fault.length:.1f} s): not right after "
                    f"{RIGHT_WITHIN:g} s; not seen by the views: {missing}"
                )
        for name, part in list(self.parts.items()):
            if name not in self.busy and not part.alive and name not in self.busy:
                self.wrong.append(f"{name} ended by itself:\n{part.last_words()}")

    def _print_progress(self, left: float) -> None:
        acknowledged, views = self.ledger.acknowledged(), self._views()
        late = max(unseen(acknowledged, rows) for rows in views)
        again = max(sum(row.again for row in rows.values()) for rows in views)
        last = f"{self.faults[-1].kind} ({self.faults[-1].victim})" if self.faults else "none"
        print(
            f"{left:5.0f} s left  acknowledged {sum(_by_user(acknowledged)):>9,}"
            f"  not seen yet {late:>6,}  again {again:>5,}  faults {len(self.faults):>3}: {last}",
            flush=True,
        )

    def _settle(self, when: str) -> dict[str, Row]:
        """Wait until all views have caught up with what is acknowledged now, and when no click
        comes any more also with a table that is read anew; returns its rows."""
        self._await("every user has clicked", lambda: all(_by_user(self.ledger.acknowledged())))
        target = self.ledger.acknowledged()
        still = not any(part.kind == "emitter" for part in self.parts.values())
        table = View(self.cluster, self.graph.table, Json(Row), storage="memory")
        seen: dict[str, Row] = {}

        def settled() -> bool:
            seen.update(table.items())
            rows = [seen, *self._views()]
            if any(unseen(target, each) for each in rows):
                return False
            if not still:
                return True
            with Groups(self.cluster) as groups:
                lag = groups.describe(GROUP, [TOPIC]).lag
            return not lag and all(each == seen for each in rows)

        with table.start().wait_running(60):
            try:
                self._await("the views hold all clicks and agree", settled)
            except AssertionError as exc:
                late = [unseen(target, each) for each in (seen, *self._views())]
                self.wrong.append(f"{when}: {exc}; not seen by the table, the views: {late}")
        return seen

    def _await(self, what: str, condition: Callable[[], bool]) -> None:
        """Raises _Wrong when something is wrong, and AssertionError when it takes too long."""

        def met() -> bool:
            self._look()
            if self.wrong:
                raise _Wrong
            return condition()

        wait_until(what, met, RIGHT_WITHIN, 0.2)

    def _resources(self) -> dict[str, dict[str, float]]:
        """What those hold that are never killed."""
        found = {}
        for name in ("processor-0", "view-0", "emitter-0"):
            process = psutil.Process(self.parts[name].process.pid)
            found[name] = {
                "memory_mb": round(process.memory_info().rss / 2**20, 1),
                "threads": process.num_threads(),
                "handles": process.num_fds(),
            }
        return found

    def _compare(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        for name, held in after.items():
            for what, value in held.items():
                if value > before[name][what] + GROWTH[what]:
                    self.wrong.append(f"{name}: {what} grew from {before[name][what]} to {value}")

    def _figures(self, rows: dict[str, Row], before: Any, after: Any) -> dict[str, Any]:
        times: dict[str, list[float]] = {}
        for fault in self.faults:
            times.setdefault(fault.kind, []).append(fault.right or RIGHT_WITHIN)
        return {
            **vars(self.options),
            "sent": self.ledger.sent,
            "acknowledged": sum(_by_user(self.ledger.acknowledged())),
            "counted": sum(row.clicks for row in rows.values()),
            "again": sum(row.again for row in rows.values()),
            "missing": sum(row.missing for row in rows.values()),
            "faults": {
                kind: {
                    "times": len(found),
                    "median_s": round(statistics.median(found), 2),
                    "worst_s": round(max(found), 2),
                }
                for kind, found in sorted(times.items())
            },
            "before": before,
            "after": after,
            "wrong": self.wrong,
        }


def show(figures: dict[str, Any]) -> None:
    """The figures for people."""
    print(f"\n{'fault':<30}{'times':>6}{'right again after, median':>28}{'worst':>9}")
    for kind, each in figures["faults"].items():
        print(f"{kind:<30}{each['times']:>6}{each['median_s']:>26} s{each['worst_s']:>7} s")
    print(f"\n{'never killed':<14}{'memory (MB)':>20}{'threads':>16}{'handles':>16}")
    for name, new in figures["after"].items():
        old = figures["before"][name]
        pairs = [f"{old[what]} -> {new[what]}" for what in old]
        print(f"{name:<14}{pairs[0]:>20}{pairs[1]:>16}{pairs[2]:>16}")
    print(
        "\nsent {sent:,}, acknowledged {acknowledged:,}, counted {counted:,}, of these counted "
        "again {again:,}; left out {missing:,}".format(**figures)
    )
    print("\n".join(f"WRONG: {reason}" for reason in figures["wrong"]) or "all is right")


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.soak", description="clicklib under random faults")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument(
        "--guarantee", choices=["at_least_once", "exactly_once"], default="exactly_once"
    )
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--rate", type=float, default=2_000, help="clicks a second, together")
    parser.add_argument("--json", type=Path, help="write the figures into this file as well")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs")
    options = parser.parse_args()
    file, keep = options.json, options.keep
    del options.json, options.keep
    print(f"{options.guarantee}, seed {options.seed}, {options.minutes:g} min", flush=True)
    os.environ["CLICKLIB_JARS"] = str(broker.fetch())
    os.environ.pop("CLICKLIB_BROKERS", None)
    folder = Path(tempfile.mkdtemp(prefix="clicklib-soak-"))
    os.environ["CLICKLIB_HOME"] = str(folder / "home")
    try:
        figures = Soak(options, folder).run()
    finally:
        if keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    show(figures)
    if file is not None:
        file.write_text(json.dumps(figures, indent=1))
    return bool(figures["wrong"])


if __name__ == "__main__":
    sys.exit(main())
