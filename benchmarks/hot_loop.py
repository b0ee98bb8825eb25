"""How fast the engine is beside a bare `consumer.poll()` loop over the same topic.

    python benchmarks/hot_loop.py [--messages 1000000] [--rounds 3]

Three jobs, each round in turn with its limit: count a backlog of clicks over 10 and over 100,000
users, and read a table of as many records into an empty view. A broker of its own is started, and
each job's result is checked. Ratios are the figures that count: a machine's seconds are its own.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from kafka import KafkaConsumer, TopicPartition
from tqdm import tqdm

from clicklib import Cluster, Emitter, Processor, View, broker, clicks
from clicklib.codec import Bytes, String
from clicklib.topics import TopicManager

PARTITIONS = 10
CLICK = "2026-01-01T00:00:00.000000+00:00"


def fill(cluster: Cluster, topic: str, messages: int, users: int) -> None:
    """Clicks of `users` users in random order, the same at each run."""
    choose = random.Random(users)
    with TopicManager(cluster) as topics:
        topics.ensure_stream(topic, PARTITIONS)
    with Emitter(cluster, topic, String(), buffer=100_000, linger=0.05) as emitter:
        for _ in tqdm(range(messages), f"fill {topic}", unit=" clicks", leave=False, disable=None):
            emitter.emit(f"user-{choose.randrange(users)}", CLICK)


def fill_table(cluster: Cluster, topic: str, records: int, keys: int) -> None:
    """A table of `records` records, of which compaction would leave `keys`."""
    with TopicManager(cluster) as topics:
        topics.ensure_table(topic, PARTITIONS)
    with Emitter(cluster, topic, Bytes(), buffer=100_000, linger=0.05) as emitter:
        for i in tqdm(range(records), f"fill {topic}", unit=" rows", leave=False, disable=None):
            emitter.emit(f"user-{i % keys}", b'{"Clicks":%d}' % (i // keys + 1))


def poll(cluster: Cluster, topic: str, messages: int) -> float:
    """Seconds that a bare loop takes to read the topic."""
    consumer = KafkaConsumer(
        bootstrap_servers=list(cluster.addresses),
        enable_auto_commit=False,
        max_poll_records=20_000,
        max_partition_fetch_bytes=4 << 20,
    )
    places = [TopicPartition(topic, p) for p in range(PARTITIONS)]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    begin, seen = time.perf_counter(), 0
    while seen < messages:
        seen += sum(map(len, consumer.poll(1_000).values()))
    seconds = time.perf_counter() - begin
    consumer.close()
    return seconds


def count(cluster: Cluster, topic: str, messages: int, run: int) -> float:
    """Seconds from the first assignment until every click is counted and committed."""
    graph = clicks.graph(clicks.count, f"{topic}-{run}", topic)
    with tempfile.TemporaryDirectory() as state:
        with Processor(cluster, graph, state_dir=state).start() as processor:
            processor.wait_running()
            begin = time.perf_counter()
            while processor.stats().records_in < messages:
                processor.wait(0.01)
            processor.stop()
            seconds = time.perf_counter() - begin
        with View(cluster, graph.table, clicks.UserCodec(), storage="memory").start() as view:
            view.wait_running(120)
            counted = sum(user.clicks for _, user in view.items())
    if counted != messages:
        raise SystemExit(f"wrong result: {counted} of {messages} clicks counted")
    return seconds


def view(cluster: Cluster, topic: str, records: int, keys: int) -> float:
    """Seconds until an empty view of the table is running."""
    with tempfile.TemporaryDirectory() as state:
        begin = time.perf_counter()
        with View(cluster, topic, clicks.UserCodec(), state_dir=state).start() as table:
            table.wait_running(120)
            seconds = time.perf_counter() - begin
            if (len(table), table.get("user-0").clicks) != (keys, records // keys):
                raise SystemExit(f"wrong result: {len(table)} rows")
    return seconds


def measure(name: str, messages: int, rounds: int, limit: Callable, job: Callable) -> None:
    """Run the bare loop and the job in turn, and print medians and the ratio."""
    pairs = [(limit(), job(round)) for round in range(rounds)]
    rates = [(messages / bare, messages / ours) for bare, ours in pairs]
    bare, ours = (statistics.median(column) for column in zip(*rates, strict=True))
    ratios = sorted(ours / bare for bare, ours in rates)
    print(
        f"{name:34} {ours:9,.0f}/s   bare poll {bare:9,.0f}/s   "
        f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})",
        flush=True,
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--messages", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    messages, rounds = options.messages, options.rounds
    keys = messages // 10
    with tempfile.TemporaryDirectory() as home:
        os.environ.setdefault("CLICKLIB_JARS", str(broker.fetch()))
        os.environ["CLICKLIB_HOME"] = str(Path(home))
        cluster = broker.use()
        try:
            for users in (10, keys):
                topic = f"clicks-{users}"
                fill(cluster, topic, messages, users)
                measure(
                    f"{messages:,} clicks of {users:,} users",
                    messages,
                    rounds,
                    lambda topic=topic: poll(cluster, topic, messages),
                    lambda run, topic=topic: count(cluster, topic, messages, run),
                )
            fill_table(cluster, "rows-table", messages, keys)
            measure(
                f"a view of {messages:,} records",
                messages,
                rounds,
                lambda: poll(cluster, "rows-table", messages),
                lambda run: view(cluster, "rows-table", messages, keys),
            )
        finally:
            broker.release()
            broker.stop()


if __name__ == "__main__":
    main()
