"""kill -9 of a processor, again and again, at random moments, and every click accounted for.

    python -m tests.kills --kills 200 --guarantee exactly_once

Clicks come all the time. A processor is killed up to 1.5 s after it was given its partitions: while
it recovers, counts, or commits. The next one goes on with its local store. After every 20 kills
the clicks pause, and the table has to hold them all.
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
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from clicklib import Cluster, View, broker
from clicklib.client.groups import Groups
from clicklib.client.topics import TopicManager
from clicklib.codec import Json
from tests.support.parts import Ledger, Part, Row, graph, unseen
from tests.waiting import wait_until

TOPIC, GROUP = "kills-clicks", "kills"
SESSION = 2.0  # seconds until the group gives up the killed one
AFTER_PARTITIONS = 1.5  # seconds; the longest time to a kill
WITHIN = 60.0  # seconds


class Kills:
    """One run. `times` are the seconds from a kill until the view held all that had been
    acknowledged at that moment."""

    def __init__(self, cluster: Cluster, options: argparse.Namespace, folder: Path) -> None:
        self.cluster, self.options, self.folder = cluster, options, folder
        self.random = random.Random(options.seed)
        self.ledger = Ledger(folder)
        self.view = View(cluster, graph(GROUP, TOPIC).table, Json(Row), storage="memory")
        self.times: list[float] = []
        self.kills = 0
        self._open: list[tuple[float, dict[str, list[int]]]] = []

    def run(self) -> dict[str, Any]:
        """Kill and check, until enough or wrong; returns the figures."""
        processor = self._processor()
        wrong: list[str] = []
        try:
            wait_until("the table is there", lambda: processor.told.exists(), WITHIN)
            with self.view.start().wait_running():
                while self.kills < self.options.kills and not wrong:
                    wrong = self._round(processor, min(20, self.options.kills - self.kills))
                return self._figures(dict(self.view.items()), wrong)
        finally:
            processor.kill()

    def _processor(self) -> Part:
        options = {"guarantee": self.options.guarantee, "session_timeout": SESSION}
        options |= {"state_dir": str(self.folder / "state")}
        told, cluster = str(self.folder / "processor.json"), str(self.cluster)
        options |= {"cluster": cluster, "group": GROUP, "topic": TOPIC, "told": told}
        return Part("processor", "processor", self.folder, **options)

    def _round(self, processor: Part, kills: int) -> list[str]:
        """So many kills under load, then a look at the table; returns what is wrong with it."""
        name, rate = f"emitter-{self.kills}", self.options.rate
        tally, cluster = str(self.ledger.open(name)), str(self.cluster)
        options = {"cluster": cluster, "topic": TOPIC, "sender": name, "tally": tally, "rate": rate}
        emitter = Part("emitter", name, self.folder, **options)
        begun = self._acknowledged()
        try:
            self._wait("a click is acknowledged", lambda: self._acknowledged() > begun)
            for _ in range(kills):
                self._kill(processor)
            emitter.leave()
        finally:
            emitter.kill()
        self._wait("all is counted", self._settled)
        rows = dict(self.view.items())
        wrong = self.ledger.wrong(rows, self.options.guarantee == "exactly_once")
        print(
            f"{self.kills:>4} kills  acknowledged {self._acknowledged():>9,}  counted again "
            f"{sum(row.again for row in rows.values()):>6,}  {'WRONG' if wrong else 'right'}",
            flush=True,
        )
        return wrong

    def _kill(self, processor: Part) -> None:
        self._wait("it has partitions", lambda: processor.told.exists() or not processor.alive)
        assert processor.alive, f"it ended by itself:\n{processor.last_words()}"
        end = time.monotonic() + self.random.uniform(0, AFTER_PARTITIONS)
        self._wait("the moment to kill has come", lambda: time.monotonic() >= end)
        self._open.append((time.monotonic(), self.ledger.acknowledged()))
        processor.kill()
        self.kills += 1
        processor.start()

    def _wait(self, what: str, condition: Any) -> None:
        """Wait, and see meanwhile which kills are made good."""

        def met() -> bool:
            rows = dict(self.view.items())
            for kill in self._open.copy():
                if not unseen(kill[1], rows):
                    self.times.append(time.monotonic() - kill[0])
                    self._open.remove(kill)
            return condition()

        wait_until(what, met, WITHIN, every=0.02)

    def _settled(self) -> bool:
        if unseen(self.ledger.acknowledged(), dict(self.view.items())):
            return False
        with Groups(self.cluster) as groups:
            return not groups.describe(GROUP, [TOPIC]).lag

    def _acknowledged(self) -> int:
        return sum(map(sum, self.ledger.acknowledged().values()))

    def _figures(self, rows: dict[str, Row], wrong: list[str]) -> dict[str, Any]:
        return {
            **vars(self.options),
            "kills": self.kills,
            "acknowledged": self._acknowledged(),
            "counted": sum(row.clicks for row in rows.values()),
            "again": sum(row.again for row in rows.values()),
            "missing": sum(row.missing for row in rows.values()),
            "median_s": round(statistics.median(self.times), 2),
            "worst_s": round(max(self.times), 2),
            "wrong": wrong,
        }


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.kills", description="kill -9 of a processor")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument(
        "--guarantee", choices=["at_least_once", "exactly_once"], default="exactly_once"
    )
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--rate", type=float, default=500, help="clicks a second")
    parser.add_argument("--json", type=Path, help="write the figures into this file as well")
    options = parser.parse_args()
    file = options.json
    del options.json
    print(f"{options.guarantee}, seed {options.seed}", flush=True)
    os.environ["CLICKLIB_JARS"] = str(broker.fetch())
    os.environ.pop("CLICKLIB_BROKERS", None)
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="clicklib-kills-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        os.environ["CLICKLIB_HOME"] = str(folder / "home")
        cluster = broker.use(progress=False)
        stack.callback(broker.release)
        stack.callback(broker.stop)
        with TopicManager(cluster) as topics:
            topics.ensure_stream(TOPIC)
        figures = Kills(cluster, options, folder).run()
    for name, value in figures.items():
        print(f"{name:>14} {value}")
    if file is not None:
        file.write_text(json.dumps(figures, indent=1))
    return bool(figures["wrong"])


if __name__ == "__main__":
    sys.exit(main())
