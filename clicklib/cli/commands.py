"""The command line: `clicklib demo`, `emit`, `process`, `view` and `doctor`.

The modules `lab`, `local_kafka`, `progress` and `classroom` have the others. Each command imports
slow modules only when it runs. Only the command line handles signals, in two layers:

- `main` is for the whole process. For the commands that do one thing and end, it makes SIGTERM the
  same as Ctrl-C, a KeyboardInterrupt. It ignores both once the command has ended.
- `_running` is for a command that runs until it is stopped. While it connects, a signal raises
  KeyboardInterrupt; later a signal sets an event, and the command's parts end in order.

There are two, because only a command in `_running` has parts to close, and it starts later.
"""

from __future__ import annotations

import itertools
import logging
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, redirect_stdout, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

import clicklib
from clicklib.cli import terminal
from clicklib.cli.classroom import classroom
from clicklib.cli.lab import lab
from clicklib.cli.local_kafka import broker as local_kafka
from clicklib.cli.progress import progress
from clicklib.graph import group_table

__all__ = ["cli", "main"]

_IN_FLIGHT = 9_000  # below an emitter's buffer of 10,000, so that `emit` never blocks Ctrl-C
_LEAST = 1e-6  # with fewer clicks a second a wait is longer than locks can take everywhere
_SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True}


def main() -> None:
    """The entry point: `cli`, in a process of its own."""
    with suppress(AttributeError):  # a replaced standard output may not have it
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with redirect_stdout(terminal.Lines(sys.stdout)):
            cli()
    finally:
        for number in terminal.SIGNALS:  # the command has ended; only Python's own end is left
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def _running(
    brokers: str | None, stream: str | None = None, table: str | None = None
) -> Iterator[tuple[clicklib.Cluster, threading.Event]]:
    """The cluster with these topics in it, and an event that Ctrl-C and SIGTERM set."""
    with terminal.stopping() as stop:
        try:
            stop.raises = True
            cluster = _connect(brokers)
            _ensure(cluster, stream, table)
            stop.raises = False
        except KeyboardInterrupt:
            raise SystemExit(0) from None  # nothing has begun
        # A library may have swallowed the KeyboardInterrupt; the event is set all the same.
        yield cluster, stop


def _connect(brokers: str | None) -> clicklib.Cluster:
    if brokers is None:
        threading.Thread(target=_load, name="clicklib imports").start()
        return clicklib.broker.use()
    named = clicklib.Cluster.from_environment({**os.environ, "CLICKLIB_BROKERS": brokers})
    return named or clicklib.Cluster(())


def _load() -> None:
    """Import what a command needs next while Kafka starts. A failure comes there again."""
    with suppress(Exception):
        import clicklib.clicks
        import clicklib.client.topics  # noqa: F401


def _ensure(cluster: clicklib.Cluster, stream: str | None, table: str | None) -> None:
    count = clicklib.clicks.PARTITIONS
    with clicklib.TopicManager(cluster) as topics:
        if stream is not None:
            topics.ensure_stream(stream, count)
        if table is not None:
            topics.ensure_table(table, count)
            click.echo(f"Table {table} has {count} partitions")


class _Number(click.FloatRange):
    """A FloatRange that refuses what FloatRange lets pass: NaN, infinity, nearly nothing."""

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number) or 0 < number < _LEAST:
            self.fail(f"{value} is not a number to count with.", param, ctx)
        return number


_brokers = click.option(
    "--brokers",
    metavar="HOST:PORT,…",
    help="Kafka's addresses; without them CLICKLIB_BROKERS, or the Kafka of this machine.",
)
_prefix = os.environ.get("CLICKLIB_PREFIX", "")
_topic = click.option("--topic", default=f"{_prefix}user-clicks", help="The clicks.")
_group = click.option(
    "--group", default=f"{_prefix}mini-group", help="The group; its table is GROUP-table."
)
_port = click.option("--port", type=click.IntRange(0, 65535), default=9095, help="0: a free one.")
_users = click.option("--users", type=click.IntRange(1), default=10, help="How many users click.")
_state_dir = click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the local copies of the table are kept; also CLICKLIB_STATE_DIR.",
)


@click.group(cls=terminal.Program, context_settings=_SETTINGS)
@click.version_option(package_name="clicklib", prog_name="clicklib")
@click.option(
    "-v", "--verbose", is_flag=True, envvar="CLICKLIB_DEBUG", help="Show logs and tracebacks."
)
def cli(verbose: bool) -> None:
    """Count the clicks of users with Apache Kafka.

    New here? `clicklib lab` opens the notebooks. `clicklib COMMAND --help` explains a command and
    shows examples. A command ends with code 0, with 1 after an error, which it prints on one line,
    and with 2 for arguments that it does not take.

    \b
    Environment:
      CLICKLIB_BROKERS    addresses of a Kafka to use, not that of this machine
      CLICKLIB_PREFIX     begins the names of all topics and groups
      CLICKLIB_SOLUTIONS  hidden: exercises give hints, and no solutions
      CLICKLIB_HOME       the folder of the local Kafka and of your progress
      CLICKLIB_STATE_DIR  the folder of the local copies of tables
      CLICKLIB_JARS, CLICKLIB_JAVA, CLICKLIB_MAVEN
                          Kafka's jars, the Java to run them, where they come from
      CLICKLIB_DEBUG      1: show logs and tracebacks, as --verbose does
    """
    log = logging.StreamHandler()
    log.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    if not verbose:
        # An error ends the command and is printed there, once.
        log.addFilter(
            lambda record: (
                record.levelno < logging.ERROR and record.name.partition(".")[0] != "kafka"
            )
        )
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[log])


@cli.command()
@_brokers
@_topic
@_group
@_port
@_users
@click.option("--rate", type=_Number(0, min_open=True), default=10, help="Clicks a second.")
@click.option("--seconds", type=_Number(0, min_open=True), help="Stop after so long.")
@_state_dir
def demo(
    brokers: str | None,
    topic: str,
    group: str,
    seconds: float | None,
    state_dir: Path | None,
    **options: Any,
) -> None:
    """Emit clicks, count them and answer over HTTP, in one program.

    It runs until Ctrl-C. Its view has a page of all users at the address that it prints.

    \b
    Examples:
      clicklib demo
      clicklib demo --users 3 --rate 1 --seconds 60
      curl localhost:9095/user-3
    """
    with _running(brokers, topic, group_table(group)) as (cluster, stop):
        if state_dir is not None:
            os.environ["CLICKLIB_STATE_DIR"] = str(state_dir)  # for processor and view
        if seconds is not None:
            timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), stop.set)
            timer.daemon = True
            timer.start()
        graph = clicklib.clicks.graph(clicklib.clicks.process, group, topic)
        clicklib.clicks.run(cluster, stop, graph, **options)


@cli.command()
@_brokers
@_topic
@_users
@click.option(
    "--rate", type=_Number(0), default=10, help="Clicks a second; 0: as fast as possible."
)
@click.option("--count", type=click.IntRange(0), help="Stop after so many clicks.")
@click.option("--key", help="The one user who clicks, instead of --users.")
def emit(
    brokers: str | None, topic: str, users: int, rate: float, count: int | None, key: str | None
) -> None:
    """Emit clicks until Ctrl-C, or --count of them.

    \b
    Examples:
      clicklib emit
      clicklib emit --key user-3 --count 1
      clicklib emit --users 1000 --rate 0 --count 100000
    """
    keys = (f"user-{i % users}" if key is None else key for i in itertools.count())
    with _running(brokers, stream=topic) as (cluster, stop):
        _emit(cluster, topic, itertools.islice(keys, count), rate, stop)


def _emit(
    cluster: clicklib.Cluster, topic: str, keys: Iterable[str], rate: float, stop: threading.Event
) -> None:
    def answered(promise: Future[Any]) -> None:
        if promise.exception() is not None:
            stop.set()

    emitter = clicklib.Emitter(cluster, topic, clicklib.String())
    try:
        with emitter:  # the end raises the error of a click that failed
            begin = time.monotonic()
            for i, key in enumerate(keys):
                if stop.wait(begin + i / rate - time.monotonic() if rate else 0):
                    break
                while _in_flight(emitter) >= _IN_FLIGHT and not stop.wait(0.005):
                    pass
                emitter.emit(key, datetime.now(UTC).isoformat()).add_done_callback(answered)
    finally:
        stats = emitter.stats()
        click.echo(f"emitted {stats.emitted} clicks, {stats.acknowledged} acknowledged")


def _in_flight(emitter: clicklib.Emitter) -> int:
    stats = emitter.stats()
    return stats.emitted - stats.acknowledged - stats.failed


@cli.command()
@_brokers
@_topic
@_group
@click.option(
    "--guarantee",
    type=click.Choice(["at_least_once", "exactly_once"]),
    default="at_least_once",
    help="exactly_once: a click is never counted twice, and is seen about 0.1 s later.",
)
@_state_dir
@click.option(
    "--storage",
    type=click.Choice(["lmdb", "memory"]),
    default="lmdb",
    help="memory: keep the local copy of the table in memory only.",
)
@click.option(
    "--session-timeout",
    type=_Number(0, min_open=True),
    default=10,
    help="After so many seconds of silence the group goes on without this program.",
)
@click.option("--quiet", is_flag=True, help="Don't print each click.")
def process(brokers: str | None, topic: str, group: str, quiet: bool, **options: Any) -> None:
    """Count clicks until Ctrl-C.

    Start it several times: the processors of one group share the partitions.

    \b
    Examples:
      clicklib process
      clicklib process --quiet --guarantee exactly_once
    """
    with _running(brokers, topic, group_table(group)) as (cluster, stop):
        callback = clicklib.clicks.count if quiet else clicklib.clicks.process
        graph = clicklib.clicks.graph(callback, group, topic)
        clicklib.clicks.run_processor(cluster, stop, graph, **options)


@cli.command()
@_brokers
@_group
@_port
@_state_dir
def view(brokers: str | None, group: str, port: int, state_dir: Path | None) -> None:
    """Answer GET /user-3 from the group's table until Ctrl-C.

    \b
    Examples:
      clicklib view --port 8080
      curl localhost:8080/user-3
    """
    table = group_table(group)
    with _running(brokers, table=table) as (cluster, stop):
        clicklib.clicks.run_view(cluster, stop, table, port, state_dir=state_dir)


@cli.command()
def doctor() -> None:
    """Say what is missing, and what to do about it.

    It looks for all that clicklib needs, and starts and changes nothing. `clicklib lab --check`
    also looks for what the notebooks need.

    \b
    Examples:
      clicklib doctor
    """
    from clicklib.cli.doctor import examine, tell

    tell(examine())


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what lets the Tab key complete commands and options.

    Put the line for your shell into its start file: ~/.bashrc, ~/.zshrc or
    ~/.config/fish/config.fish.

    \b
    Examples:
      eval "$(clicklib completion bash)"
      eval "$(clicklib completion zsh)"
      clicklib completion fish | source
    """
    from click.shell_completion import shell_complete

    shell_complete(cli, {}, "clicklib", "_CLICKLIB_COMPLETE", f"{shell}_source")


cli.add_command(classroom)
cli.add_command(lab)
cli.add_command(local_kafka)
cli.add_command(progress)
