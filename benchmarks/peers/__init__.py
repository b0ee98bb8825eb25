"""The programs that are measured. Each runs as a process of its own, all with one contract.

    count  --brokers --topic --group --state --messages   count clicks into the group's table
    view   --brokers --table --state                      read a table into an empty view
    emit   --brokers --topic --users --messages           emit clicks as fast as possible

`count` ends when it has handled so many messages and all that they led to is committed; with 0
messages it runs until SIGTERM. `--exactly-once` and `--latency` ask for the settings of that name,
`--commit` for so many seconds between commits in those that commit by the clock, `--many` for one
call that emits all clicks.

A program prints a line of JSON when it is ready (for `count`: its partitions are assigned) and one
when it is done. What it prints then beyond that is for the check of its result.
"""

from __future__ import annotations

import argparse
import json
import signal
import threading
from typing import Any

CLICK = "2026-01-01T00:00:00.000000+00:00"


def arguments(*commands: str) -> argparse.Namespace:
    """What the command line of a program says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=commands)
    for name in ("brokers", "topic", "table", "group", "state"):
        parser.add_argument(f"--{name}")
    for name in ("messages", "users", "rate", "parts", "part"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--commit", type=float, default=0.0)
    parser.add_argument("--draw", default="uniform")
    for name in ("exactly-once", "latency", "many"):
        parser.add_argument(f"--{name}", action="store_true")
    return parser.parse_args()


def say(**facts: Any) -> None:
    """Print one line of the contract."""
    print(json.dumps(facts), flush=True)


def until_terminated() -> threading.Event:
    """An event that SIGTERM sets."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    return stop
