"""Starts the programs that stay beside Java: a keeper, for a program that finds none; a guard."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

from clicklib.broker import detach, guard
from clicklib.broker.notice import Pid
from clicklib.broker.paths import jars_directory
from clicklib.broker.place import Place
from clicklib.errors import LocalBrokerError

__all__ = ["command", "launch", "mark_of", "start_guard"]


def launch(place: Place, port: int | None, open_at: str = "") -> Pid | None:
    """Start a keeper for a place, not as a child process; None if it has ended already."""
    package = str(Path(__file__).parents[2])
    environment = os.environ | {
        "CLICKLIB_HOME": str(place.directory.parent),
        "CLICKLIB_JARS": str(jars_directory()),
        "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])),
    }
    run = [sys.executable, "-I", "-S", str(Path(detach.__file__)), str(place.keeper_log)]
    run += command(place, port, open_at)
    try:
        done = subprocess.run(
            run, cwd=place.directory, env=environment, capture_output=True, check=True
        )
        return Pid.of(int(done.stdout))
    except subprocess.CalledProcessError as error:
        why = error.stderr.decode(errors="replace")[-1000:]
        raise LocalBrokerError(f"cannot start the keeper of the local Kafka: {why}") from error
    except psutil.NoSuchProcess:
        return None


def command(place: Place, port: int | None, open_at: str = "") -> list[str]:
    """The command that runs a keeper."""
    keeper = "clicklib.broker.keeper"
    return [sys.executable, "-P", "-m", keeper, str(place.nodes), str(port or 0), open_at]


def start_guard(mark: str, *command: str) -> subprocess.Popen[bytes]:
    """Start the guard of the Java with this mark. After this program's end it runs the command."""
    run = [sys.executable, "-P", str(Path(guard.__file__)), mark, *command]
    return subprocess.Popen(run, stdin=subprocess.PIPE, **detach.detached())


def mark_of(token: str) -> str:
    """The option that marks the Java of a keeper. It has no effect; other processes find it."""
    return f"-Dclicklib.keeper={token}"
