"""`clicklib lab`: the notebooks in a folder of the reader's, and JupyterLab on the first one."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NoReturn

import click

import clicklib
from clicklib.cli.class_settings import read_settings
from clicklib.cli.handout import FIRST, Handout, State
from clicklib.cli.terminal import has_browser
from clicklib.errors import ClicklibError

__all__ = ["lab"]

_SAID = {
    State.MISSING: "put there",
    State.OLD: "replaced by the newer one",
    State.KEPT: "kept, for you have changed it; rename yours and run this again for the newer one",
}


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.argument("jupyter", nargs=-1, type=click.UNPROCESSED)
@click.option("--update", is_flag=True, help="Replace old notebooks that you have not changed.")
@click.option("--put", is_flag=True, help="Only put them there: JupyterLab runs already.")
@click.option("--check", is_flag=True, help="Look for all that is needed, and change nothing.")
def lab(
    folder: Path | None, jupyter: tuple[str, ...], update: bool, put: bool, check: bool
) -> None:
    """Open the notebooks of the course in JupyterLab.

    They are first put into FOLDER: into clicklib-course if none is named, or into this folder if
    notebook 00 is here. A file that is there stays as it is. --update replaces those that have
    become old, but none that you have changed, and names each. What a notebook has printed is no
    change. What a teacher has set for you is read from the file class.env in FOLDER.

    The notebooks start Kafka, which ends with them. What follows after -- goes to JupyterLab.

    \b
    Examples:
      clicklib lab
      clicklib lab ~/kafka --update
      clicklib lab --put
      clicklib lab --check
      clicklib lab ~/kafka -- --no-browser --port 8890
    """
    if folder is not None and str(folder).startswith("-"):  # `clicklib lab -- --no-browser`
        folder, jupyter = None, (str(folder), *jupyter)
    handout = Handout(folder or _default_folder())
    for name, value in read_settings(handout.folder).items():
        os.environ.setdefault(name, value)
    if check:
        from clicklib.cli.doctor import examine, tell

        tell(examine(handout))
    else:
        _put(handout, update)
        if not put:
            _fetch_kafka()
            _open(handout.folder, jupyter)


def _put(handout: Handout, update: bool) -> None:
    """Put the notebooks into their folder, and say what happens to them."""
    states = handout.states()
    if not states:
        raise click.ClickException("the notebooks are not here: install clicklib anew")
    click.echo(f"The notebooks are in {handout.folder}")
    if update:
        for name, state in states.items():
            if state in _SAID:
                click.echo(f"{name}: {_SAID[state]}")
    elif newer := sum(state in {State.OLD, State.KEPT} for state in states.values()):
        click.echo(f"The course has newer versions of {newer} files there: add --update")
    handout.put(update)


def _default_folder() -> Path:
    here = Path.cwd()
    return here if (here / FIRST).exists() else here / "clicklib-course"


def _fetch_kafka() -> None:
    """Fetch Kafka while the reader watches; where it fails, the notebook tries again."""
    if not os.environ.get("CLICKLIB_BROKERS"):
        try:
            clicklib.broker.fetch()
        except ClicklibError as error:
            click.echo(f"Kafka is not here yet: {error}", err=True)


def _open(folder: Path, arguments: tuple[str, ...]) -> NoReturn:
    """Become JupyterLab."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise click.ClickException("clicklib lab needs the package jupyterlab: pip install it")
    if not has_browser():
        click.echo("No browser here. Open the address that JupyterLab prints in one.")
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}"]
    command += [f"--LabApp.default_url=/lab/tree/{FIRST}", *arguments]
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # JupyterLab refuses it unless told so
        command.append("--allow-root")
    # A terminal in JupyterLab finds the command clicklib.
    scripts = sysconfig.get_path("scripts")
    os.environ["PATH"] = os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)])
    sys.stdout.flush()
    if os.name == "nt":  # there a program that becomes another one leaves its terminal
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is JupyterLab's
        raise SystemExit(subprocess.call(command))
    os.execv(sys.executable, command)  # noqa: S606, no shell is wanted
