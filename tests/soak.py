"""The soak: processors, views and emitters under random faults, and every click accounted for.

    python -m tests.soak --minutes 10 --guarantee exactly_once --seed 7
    python -m tests.soak --minutes 3 --only "kill the broker"

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
from clicklib.client.groups import Groups
from clicklib.client.topics import TopicManager
from clicklib.codec import Json
from tests.support.parts import Row, unseen
from tests.support.stage import GROUP, SESSION, TOPIC, Stage
from tests.waiting import wait_until

RIGHT_WITHIN = 90.0  # seconds
# More is a leak. A first backlog takes up to 70 MB that Python keeps; further ones take no more.
GROWTH = {"memory_mb": 128, "threads": 4, "handles": 12}


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
        self.faults: list[Fault] = []
        self.wrong: list[str] = []
        self.busy: set[str] = set()  # those under a fault
        self.threads: list[threading.Thread] = []

    def run(self) -> dict[str, Any]:
        """All of it; returns the figures."""
        rows: dict[str, Row] = {}
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        with ExitStack() as stack, suppress(_Wrong):
            cluster = broker.use(progress=False)
            stack.callback(broker.release)
            stack.callback(broker.stop)
            with TopicManager(cluster) as topics:
                topics.ensure_stream(TOPIC)
            self.stage = Stage(cluster, self.folder, self.options.guarantee, self.options.rate)
            stack.callback(self.stage.end)
            stack.callback(lambda: [thread.join() for thread in self.threads])
            self.stage.begin()
            self._settle("at the beginning")
            before = self._resources()
            self._attack()
            self._settle("after the faults")
            after = self._rested(before)
            self.wrong += self.stage.leave("emitter")
            rows = self._settle("when no click comes any more")
            self.wrong += self.stage.leave("processor", "view")
            self.wrong += self.stage.ledger.wrong(rows, self.options.guarantee == "exactly_once")
            self.wrong += _growth(before, after)
        return self._figures(rows, before, after)

    # The faults. Each runs on a thread of its own.

    def _inject(self) -> None:
        kinds = [self.options.only] if self.options.only else list(Stage.KINDS)
        [kind] = self.random.choices(kinds, [Stage.KINDS[kind][2] for kind in kinds])
        act, victims, _ = Stage.KINDS[kind]
        victim, length = self.random.choice(victims), self.random.uniform(0.2, 2 * SESSION)
        if victim in self.busy:
            return
        fault = Fault(kind, victim, time.monotonic(), length, self.stage.ledger.acknowledged())
        self.faults.append(fault)
        self.busy.add(victim)

        def run() -> None:
            try:
                act(self.stage, victim, length)
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
                due = now + self.random.uniform(0.5, 3.0)
                patient = self.random.random() < 0.7 or bool(self.options.only)
            if now > next_line:
                next_line = now + 5
                self._print_progress(end - now)
            time.sleep(0.1)
        for thread in self.threads:
            thread.join()

    # Looking.

    def _views(self) -> list[dict[str, Row]]:
        return [part.tells().rows for part in self.stage.parts.values() if part.kind == "view"]

    def _open_faults(self) -> list[Fault]:
        return [fault for fault in self.faults if fault.right is None]

    def _look(self) -> None:
        """See which faults are over, and whether all live that should."""
        acknowledged, views = self.stage.ledger.acknowledged(), self._views()
        for fault in self._open_faults():
            fault.look(acknowledged, views)
            if fault.right is None and time.monotonic() - fault.begun > RIGHT_WITHIN:
                fault.right = RIGHT_WITHIN
                missing = [unseen(acknowledged, rows) for rows in views]
                self.wrong.append(
                    f"{fault.kind} ({fault.victim}, {fault.length:.1f} s): not right after "
                    f"{RIGHT_WITHIN:g} s; not seen by the views: {missing}"
                )
        for name, part in list(self.stage.parts.items()):
            process = part.process
            ended = process.poll() is not None and name not in self.busy
            # A fault that ended it has it in `busy` until another process is there: in another
            # part, for an emitter.
            if ended and self.stage.parts.get(name) is part and part.process is process:
                self.wrong.append(f"{name} ended by itself:\n{part.last_words()}")

    def _print_progress(self, left: float) -> None:
        acknowledged, views = self.stage.ledger.acknowledged(), self._views()
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
        self._await(
            "every user has clicked", lambda: all(_by_user(self.stage.ledger.acknowledged()))
        )
        target = self.stage.ledger.acknowledged()
        still = not any(part.kind == "emitter" for part in self.stage.parts.values())
        table = View(self.stage.cluster, self.stage.graph.table, Json(Row), storage="memory")
        seen: dict[str, Row] = {}

        def settled() -> bool:
            seen.update(table.items())
            rows = [seen, *self._views()]
            if any(unseen(target, each) for each in rows):
                return False
            if not still:
                return True
            with Groups(self.stage.cluster) as groups:
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
            process = psutil.Process(self.stage.parts[name].process.pid)
            found[name] = {
                "memory_mb": round(process.memory_info().rss / 2**20, 1),
                "threads": process.num_threads(),
                "handles": process.num_fds(),
            }
        return found

    def _rested(self, before: dict[str, Any]) -> dict[str, Any]:
        """What they hold once the connections of the last faults are forgotten, if they are."""
        deadline = time.monotonic() + 30
        while _growth(before, after := self._resources()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return after

    def _figures(self, rows: dict[str, Row], before: Any, after: Any) -> dict[str, Any]:
        times: dict[str, list[float]] = {}
        for fault in self.faults:
            times.setdefault(fault.kind, []).append(fault.right or RIGHT_WITHIN)
        return {
            **vars(self.options),
            "sent": self.stage.ledger.sent,
            "acknowledged": sum(_by_user(self.stage.ledger.acknowledged())),
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


def _growth(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What is a leak."""
    return [
        f"{name}: {what} grew from {before[name][what]} to {value}"
        for name, held in after.items()
        for what, value in held.items()
        if value > before[name][what] + GROWTH[what]
    ]


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
    parser.add_argument("--only", choices=Stage.KINDS, help="this fault again and again")
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
