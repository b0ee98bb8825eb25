"""The same count with faust-streaming."""

from __future__ import annotations

import argparse
import os
import signal
from itertools import count as numbers

import faust  # type: ignore[import-not-found]

from benchmarks.peers import arguments, say


def count(options: argparse.Namespace) -> None:
    app = faust.App(
        options.group,
        broker=f"kafka://{options.brokers}",
        datadir=options.state,
        store="memory://",
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        producer_linger=0.005,
        producer_max_batch_size=256 << 10,
        topic_partitions=10,
        topic_replication_factor=1,
        topic_disable_leader=True,
        web_enabled=False,
    )
    table = app.Table("clicks", default=int, key_type=str, value_type=int)
    topic = app.topic(options.topic, key_type=str, value_type=str, value_serializer="raw")
    numbered = numbers(1)
    last = 0

    @app.agent(topic)
    async def process(clicks: faust.StreamT) -> None:
        nonlocal last
        async for user, _ in clicks.items():
            table[user] += 1
            last = next(numbered)
            if last == 1:
                say(ready=True)
            if last == options.messages:
                os.kill(os.getpid(), signal.SIGTERM)  # its own way to end in order

    try:
        faust.Worker(app, loglevel="WARNING", redirect_stdouts=False).execute_from_commandline()
    finally:  # it ends by SystemExit
        say(counted=last)


if __name__ == "__main__":
    count(arguments("count"))
