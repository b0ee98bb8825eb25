"""The same count with quixstreams."""

from __future__ import annotations

import argparse
from typing import Any

from quixstreams import Application  # type: ignore[import-not-found]

from benchmarks.peers import CLICK, arguments, say


class Announcing(Application):
    """Says when it is assigned, for which quixstreams has no public callback."""

    def _on_assign(self, *args: object) -> None:
        super()._on_assign(*args)
        say(ready=True)


def count(click: str, state: Any) -> int:
    counted = state.get("clicks", 0) + 1
    state.set("clicks", counted)
    return counted


def application(options: argparse.Namespace) -> Announcing:
    often = options.latency or options.exactly_once
    return Announcing(
        options.brokers,
        consumer_group=options.group,
        state_dir=options.state,
        auto_offset_reset="earliest",
        commit_interval=options.commit or (0.1 if often else 5.0),
        consumer_poll_timeout=0.1,
        processing_guarantee="exactly-once" if options.exactly_once else "at-least-once",
        producer_extra_config={
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 5 if options.command == "count" else 50,
            "batch.size": 256 << 10,
        },
        loglevel="WARNING",
    )


def run(options: argparse.Namespace) -> None:
    app = application(options)
    topic = app.topic(options.topic, key_deserializer="str", value_deserializer="str")
    app.dataframe(topic).apply(count, stateful=True)
    app.run(count=options.messages, collect=False)
    say(counted=options.messages)


def emit(options: argparse.Namespace) -> None:
    topic, click = options.topic, CLICK.encode()
    failed: list[object] = []

    def delivered(error: object, message: object) -> None:
        if error is not None:
            failed.append(error)

    with application(options).get_producer() as producer:
        say(ready=True)
        for i in range(options.messages):
            key = f"user-{i % options.users}".encode()
            producer.produce(topic, click, key, on_delivery=delivered)
    say(emitted=options.messages - len(failed))


if __name__ == "__main__":
    options = arguments("count", "emit")
    {"count": run, "emit": emit}[options.command](options)
