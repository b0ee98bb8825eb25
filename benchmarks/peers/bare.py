"""The limits: what the bare client (or server) does when nobody counts anything.

`count` and `view` only read their topic, in a bare `consumer.poll()` loop, with the settings that
clicklib's readers have. `emit` is a bare `producer.send()` loop. `forward` reads clicks and writes
a row for each at once, without a store or a commit: the least that a latency can be. `serve`
answers each request with the same bytes. `fill` writes the topics that the jobs read.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections import Counter, deque
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from tornado.web import Application, RequestHandler

from benchmarks.peers import CLICK, arguments, say, until_terminated
from clicklib.client.topic_reader import FETCH
from clicklib.keys import partition_of


def reader(options: argparse.Namespace, topic: str, *, oldest: bool) -> KafkaConsumer:
    """A consumer at the oldest or newest record of each partition of `topic`."""
    consumer = KafkaConsumer(bootstrap_servers=options.brokers.split(","), **FETCH)
    places = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic))]
    consumer.assign(places)
    (consumer.seek_to_beginning if oldest else consumer.seek_to_end)(*places)
    return consumer


def writer(options: argparse.Namespace, linger: int) -> KafkaProducer:
    return KafkaProducer(
        bootstrap_servers=options.brokers.split(","),
        acks="all",
        enable_idempotence=True,
        batch_size=256 << 10,
        linger_ms=linger,
        metrics_enabled=False,
    )


def read(options: argparse.Namespace) -> None:
    topic = options.topic or options.table
    consumer = reader(options, topic, oldest=True)
    wanted = options.messages or sum(consumer.end_offsets(list(consumer.assignment())).values())
    say(ready=True)
    seen = 0
    while seen < wanted:
        seen += sum(map(len, consumer.poll(1_000).values()))
    say(counted=seen)
    consumer.close()


def send(options: argparse.Namespace, records: Iterator[tuple[bytes, bytes]]) -> None:
    """Send the records; about 100,000 are open at most. Who asked counts what came."""
    producer = writer(options, linger=50)
    partitions = len(producer.partitions_for(options.topic))
    say(ready=True)
    place: dict[bytes, int] = {}
    sent = 0
    marks: deque[Any] = deque()
    for sent, (key, value) in enumerate(records, 1):
        if key not in place:
            place[key] = partition_of(key, partitions)
        future = producer.send(options.topic, value, key, partition=place[key])
        if sent % 50_000 == 0:
            marks.append(future)
            if len(marks) > 2:
                marks.popleft().get(60)
    producer.flush(120)
    say(emitted=sent)
    producer.close()


def in_turn(options: argparse.Namespace) -> Iterator[tuple[bytes, bytes]]:
    """Clicks of each user in turn."""
    click = CLICK.encode()
    return ((b"user-%d" % (i % options.users), click) for i in range(options.messages))


def drawn(options: argparse.Namespace) -> Iterator[tuple[bytes, bytes]]:
    """One part's share of the records to fill a topic with, the same at each run.

    Clicks of users drawn at random (`uniform`, or `zipf`: the k-th user clicks 1/k as often as the
    first); or the rows of a `table`, in which every user's count goes up from 1.
    """
    users = options.users
    if options.draw == "table":
        mine = range(options.part, users, options.parts)
        for clicks in range(1, options.messages // users + 1):
            for user in mine:
                yield b"user-%d" % user, b'{"Clicks":%d}' % clicks
        return
    choose, click = random.Random(options.part), CLICK.encode()
    weights = list(accumulate(1 / k if options.draw == "zipf" else 1 for k in range(1, users + 1)))
    for begin in range(0, count := options.messages // options.parts, 10_000):
        many = min(10_000, count - begin)
        for user in choose.choices(range(users), cum_weights=weights, k=many):
            yield b"user-%d" % user, click


def forward(options: argparse.Namespace) -> None:
    stop = until_terminated()
    consumer, producer = reader(options, options.topic, oldest=True), writer(options, linger=0)
    producer.partitions_for(options.table)
    clicks: Counter[bytes] = Counter()
    say(ready=True)
    while not stop.is_set():
        for place, records in consumer.poll(100).items():
            for record in records:
                clicks[record.key] += 1
                row = b'{"Clicks":%d}' % clicks[record.key]
                producer.send(options.table, row, record.key, partition=place.partition)
    producer.flush(10)
    say(counted=clicks.total())
    producer.close()
    consumer.close()


class Constant(RequestHandler):
    def get(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.write(b'{"Clicks":10}')


async def serve() -> None:
    stop = until_terminated()
    server = Application([("/.*", Constant)], log_function=lambda handler: None).listen(
        0, "127.0.0.1"
    )
    say(port=next(iter(server._sockets.values())).getsockname()[1])
    while not stop.is_set():
        await asyncio.sleep(0.05)


def main() -> None:
    options = arguments("count", "view", "emit", "fill", "forward", "serve")
    if options.command == "emit":
        send(options, in_turn(options))
    elif options.command == "fill":
        send(options, drawn(options))
    elif options.command == "forward":
        forward(options)
    elif options.command == "serve":
        asyncio.run(serve())
    else:
        read(options)


if __name__ == "__main__":
    main()
