"""Goka's User Clicks: an emitter, a processor that counts, a view that answers over HTTP."""

import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from threading import Event
from time import monotonic
from typing import Any

import msgspec

from clicklib import Emitter, Input, Persist, Processor, String, View, define_group, group_table
from clicklib.client.cluster import Brokers
from clicklib.context import Context
from clicklib.graph import Graph

PREFIX = os.environ.get("CLICKLIB_PREFIX", "")  # each reader's own, for a class on one cluster
TOPIC, GROUP = f"{PREFIX}user-clicks", f"{PREFIX}mini-group"
TABLE, PARTITIONS = group_table(GROUP), 10


class User(msgspec.Struct):
    clicks: int = msgspec.field(default=0, name="Clicks")


class UserCodec:
    def encode(self, value: User) -> bytes:
        if not isinstance(value, User):
            raise TypeError(f"expected a User, got {type(value).__name__}")
        return msgspec.json.encode(value)

    def decode(self, data: bytes) -> User:
        return msgspec.json.decode(data, type=User)


def count(ctx: Context, msg: str) -> User:
    """Add one click to the user whose name is the message's key."""
    user = ctx.value() or User()
    user.clicks += 1
    ctx.set_value(user)
    return user


def process(ctx: Context, msg: str) -> None:
    print(f"[proc] key: {ctx.key} clicks: {count(ctx, msg).clicks}, msg: {msg}")


def graph(callback: Any = process, group: str = GROUP, topic: str = TOPIC) -> Graph:
    return define_group(group, Input(topic, String(), callback), Persist(UserCodec()))


def run_emitter(brokers: Brokers, stop: Event, topic: str, users: int, rate: float) -> None:
    """Emit `rate` clicks a second, of each user in turn, until `stop` is set."""
    i, begin = 0, monotonic()
    with Emitter(brokers, topic, String()) as emitter:
        while not stop.wait(begin + i / rate - monotonic()):
            emitter.emit(f"user-{i % users}", datetime.now(UTC).isoformat())
            i += 1


def run_processor(brokers: Brokers, stop: Event, graph: Graph, **options: Any) -> None:
    """Count clicks until `stop` is set; print the owned partitions after each rebalance."""
    options["on_rebalance"] = lambda owned: print("[proc] rebalanced, partitions:", *owned)
    with Processor(brokers, graph, **options).start() as processor:
        print(f"Processor started in group {graph.group}")
        wait(stop, processor)


def run_view(brokers: Brokers, stop: Event, table: str, port: int, **options: Any) -> None:
    """Answer `GET /user-3` from the table until `stop` is set."""
    from clicklib import Endpoint  # the other parts run without a web server installed

    with View(brokers, table, UserCodec(), **options).start() as view, Endpoint(view, port) as web:
        print(f"View opened at http://localhost:{web.port}/")
        wait(stop, view)


def wait(stop: Event, part: Processor | View) -> None:
    """Block until `stop` is set or the part has ended; raise the error that ended it."""
    while not (stop.wait(0.1) or part.wait(timeout=0)):
        pass
    if not part.stop():
        raise TimeoutError(f"{part} did not end in 10 s: what it did not commit comes again")
    part.wait()


def run(brokers: Brokers, stop: Event, graph: Graph, users: int, rate: float, port: int) -> None:
    """Run emitter, processor and view until `stop`. If one ends, end all and raise its error."""
    with ThreadPoolExecutor(3) as pool:
        futures = [
            pool.submit(run_view, brokers, stop, graph.table, port),
            pool.submit(run_processor, brokers, stop, graph),
            pool.submit(run_emitter, brokers, stop, graph.topics[0], users, rate),
        ]
        try:
            for future in as_completed(futures):
                stop.set()
                future.result()
        finally:
            stop.set()
