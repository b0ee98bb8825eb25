"""`clicklib class …`: what a teacher needs."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import click

import clicklib
from clicklib.cli.class_settings import FILE, parsed, write_settings
from clicklib.cli.handout import Handout

__all__ = ["classroom"]

_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,40}")  # of a folder, and of topics
_USER = "class"


@click.group("class")
def classroom() -> None:
    """For a teacher: copies, an open Kafka, who solved what."""


@classroom.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--settings",
    type=click.Path(path_type=Path),
    help="A file with the lines that `clicklib class serve` printed, for each copy.",
)
def students(folder: Path, names: tuple[str, ...], settings: Path | None) -> None:
    """Write the notebooks for students.

    Each copy is in FOLDER/NAME. The file class.env in it says that exercises give hints and no
    solutions, and that the names of the student's topics and groups begin with NAME. `clicklib lab`
    obeys it. (Who looks into the installed package finds the solutions all the same.) A copy that
    is there is updated, but for the notebooks that the student has changed.

    \b
    Examples:
      clicklib class students course anna ben
      clicklib class students course anna --settings class.env
    """
    for name in names:
        if not _NAME.fullmatch(name):
            raise click.BadParameter(f"{name!r} is not 1 to 40 letters, digits, '.', '_', '-'.")
    common = parsed(settings) if settings else {}
    for name in names:
        copy = Handout(folder / name)
        copy.put(update=True)
        own = {"CLICKLIB_SOLUTIONS": "hidden", "CLICKLIB_PREFIX": f"{name}-"}
        write_settings(copy.folder, common | own)
        click.echo(str(copy.folder))


@classroom.command()
@click.option("--address", required=True, help="This machine's, as the students reach it.")
@click.option("--port", type=click.IntRange(1, 65535), default=9192, help="The port there.")
def serve(address: str, port: int) -> None:
    """Open the Kafka of this machine to a class, with a password.

    Without this command it listens to this machine alone. It is open until `clicklib broker stop`.
    Standard output are the settings for the students: put it into a file class.env. Each call makes
    a new password, and logins with an older one are refused from then on.

    The password is never sent, but what is in the messages is not encrypted. Who has the password
    may read, change and delete all topics: open it in a network and for people that you trust.

    \b
    Examples:
      clicklib class serve --address 192.168.1.5
      clicklib class serve --address 192.168.1.5 --port 29092
    """
    from clicklib.client.admin import Admin

    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    password = secrets.token_urlsafe(12)
    with Admin(clicklib.broker.serve(where)) as admin:
        admin.let_in(_USER, password)
    said = (
        f"Kafka is open at {where}, with a password, until `clicklib broker stop`.",
        f"Each student needs these lines in the file {FILE}, beside the folder notebooks, and a",
        "line CLICKLIB_PREFIX=NAME- of their own; `clicklib class students` writes such files.",
    )
    click.echo("\n".join(said), err=True)  # so that standard output is the file
    for name, value in {
        "CLICKLIB_BROKERS": where,
        "CLICKLIB_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "CLICKLIB_SASL_MECHANISM": "SCRAM-SHA-256",
        "CLICKLIB_SASL_USERNAME": _USER,
        "CLICKLIB_SASL_PASSWORD": password,
    }.items():
        click.echo(f"{name}={value}")


@classroom.command()
def progress() -> None:
    """Say who has solved what, of those who share it.

    A student shares with `clicklib progress --share NAME`, or in notebook 13, and is listed under
    the name that was typed. It asks the Kafka of CLICKLIB_BROKERS, or that of this machine.

    \b
    Examples:
      clicklib class progress
    """
    from clicklib.lessons.sharing import ClassProgress

    click.echo(str(ClassProgress(clicklib.broker.use())))
