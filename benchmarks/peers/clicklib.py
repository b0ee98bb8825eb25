"""The three parts of clicklib, with its defaults but for the emitter's larger buffer."""

from __future__ import annotations

import argparse

from benchmarks.peers import CLICK, arguments, say, until_terminated
from clicklib import Cluster, Context, Emitter, Processor, TopicManager, View, broker, clicks
from clicklib.codec import String
from clicklib.web import Endpoint


def count(options: argparse.Namespace) -> None:
    stop = until_terminated()
    processor = Processor(
        options.brokers,
        clicks.graph(clicks.count, options.group, options.topic),
        guarantee="exactly_once" if options.exactly_once else "at_least_once",
        state_dir=options.state,
    )
    with processor.start():
        processor.wait_running(60)
        say(ready=True)
        while not stop.is_set() and (
            not options.messages or processor.stats().records_in < options.messages
        ):
            processor.wait(0.01)
        if not processor.stop(60):
            raise TimeoutError("the processor does not stop")
    say(counted=processor.stats().records_in)


def view(options: argparse.Namespace) -> None:
    say(ready=True)
    with View(
        options.brokers, options.table, clicks.UserCodec(), state_dir=options.state
    ).start() as table:
        table.wait_running(120)
        say(done=True)
        say(rows=len(table), clicks=sum(user.clicks for _, user in table.items()))


def emit(options: argparse.Namespace) -> None:
    with Emitter(options.brokers, options.topic, String(), buffer=100_000, linger=0.05) as emitter:
        say(ready=True)
        pairs = ((f"user-{i % options.users}", CLICK) for i in range(options.messages))
        if options.many:
            emitter.emit_many(pairs)
        else:
            for user, click in pairs:
                emitter.emit(user, click)
    say(emitted=options.messages)


def serve(options: argparse.Namespace) -> None:
    stop = until_terminated()
    with (
        View(
            options.brokers, options.table, clicks.UserCodec(), state_dir=options.state
        ).start() as table,
        Endpoint(table, 0) as endpoint,
    ):
        table.wait_running(120)
        say(port=endpoint.port)
        stop.wait()


def kafka(options: argparse.Namespace) -> None:
    stop = until_terminated()
    broker.start()
    say(ready=True)
    stop.wait()


def demo(options: argparse.Namespace) -> None:
    """What `clicklib demo` does, with a line for the first count."""
    stop = until_terminated()
    counted: list[bool] = []

    def count(ctx: Context, msg: str) -> None:
        clicks.count(ctx, msg)
        if not counted:
            counted.append(True)
            say(counted=1)

    cluster = prepared(clicks.TOPIC, clicks.TABLE)
    clicks.run(cluster, stop, clicks.graph(count), 10, 10.0, 0)


def lesson(options: argparse.Namespace) -> None:
    """What the first cells of the first notebook do, until all of it runs."""
    from clicklib.widgets import Dashboard

    stop, graph = until_terminated(), clicks.graph(clicks.count)
    cluster = prepared(clicks.TOPIC)
    with (
        Processor(cluster, graph).start() as processor,
        View(cluster, graph.table, clicks.UserCodec()).start() as view,
        Emitter(cluster, clicks.TOPIC, String()) as emitter,
    ):
        Dashboard(emitter, processor, view)
        processor.wait_running()
        view.wait_running()
        say(ready=True)
        stop.wait()


def prepared(stream: str, table: str = "") -> Cluster:
    """The local Kafka, with these topics in it."""
    cluster = broker.use()
    with TopicManager(cluster) as topics:
        topics.ensure_stream(stream, clicks.PARTITIONS)
        if table:
            topics.ensure_table(table, clicks.PARTITIONS)
    return cluster


COMMANDS = {run.__name__: run for run in (count, view, emit, serve, kafka, demo, lesson)}

if __name__ == "__main__":
    options = arguments(*COMMANDS)
    COMMANDS[options.command](options)
