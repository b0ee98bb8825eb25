"""`clicklib broker …`: the Kafka of this machine."""

from __future__ import annotations

import click

import clicklib

__all__ = ["broker"]

_nodes = click.option(
    "--nodes", type=click.IntRange(1), default=1, help="The cluster of so many brokers."
)


@click.group()
def broker() -> None:
    """The Kafka of this machine, shared by all programs of its user.

    It starts with the first program that needs it and ends a minute after the last one. Its
    topics stay. Everything of it is in CLICKLIB_HOME, or in your folder for data of programs.
    """


@broker.command()
@_nodes
@click.option("--port", type=click.IntRange(1, 65535), help="The first port that it takes.")
def start(nodes: int, port: int | None) -> None:
    """Start it to stay, and print its address on the last line.

    \b
    Examples:
      clicklib broker start
      clicklib broker start --nodes 3 --port 19092
    """
    cluster = clicklib.broker.start(nodes, port)
    click.echo(f"Kafka runs until `clicklib broker stop`\n{cluster}")


@broker.command()
def stop() -> None:
    """Stop it, whoever uses it; its data stay.

    \b
    Examples:
      clicklib broker stop
    """
    click.echo("Kafka stopped" if clicklib.broker.stop() else "Kafka was not running")


@broker.command()
def status() -> None:
    """Say whether it runs, where, for whom, and how large it is.

    \b
    Examples:
      clicklib broker status
    """
    clusters = clicklib.broker.status()
    for cluster in clusters:
        click.echo(
            f"{cluster.nodes} node{'s' * (cluster.nodes > 1)}: "
            f"{'running at ' + ','.join(cluster.addresses) if cluster.running else 'not running'}, "
            f"{f'open at {cluster.open_at} with a password, ' if cluster.open_at else ''}"
            f"{'stays until stopped' if cluster.stays else f'{len(cluster.users)} users'}, "
            f"{cluster.memory >> 20} MB of memory, {cluster.size >> 20} MB in {cluster.directory}"
        )
    if not clusters:
        click.echo("Kafka was never started here")


@broker.command()
@_nodes
@click.option("-n", "--lines", type=click.IntRange(1), default=50, help="How many lines.")
def logs(nodes: int, lines: int) -> None:
    """Print the last lines of its log.

    \b
    Examples:
      clicklib broker logs --lines 200
    """
    click.echo(clicklib.broker.logs(nodes, lines))


@broker.command()
@click.option("--stop", is_flag=True, help="Stop it first.")
def wipe(stop: bool) -> None:
    """Delete its topics, messages and offsets.

    \b
    Examples:
      clicklib broker wipe --stop
    """
    clicklib.broker.wipe(stop=stop)
    click.echo("Kafka's data are deleted")


@broker.command()
def fetch() -> None:
    """Fetch Kafka and check it, without starting it.

    \b
    Examples:
      clicklib broker fetch
    """
    click.echo(f"Kafka is in {clicklib.broker.fetch()}")
