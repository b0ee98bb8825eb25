"""What the environment chooses: the home of the local Kafka, its jars, how long it stays."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

import platformdirs

from clicklib.errors import LocalBrokerError

__all__ = ["home", "jars_directory", "named", "patience"]


def home() -> Path:
    """The directory of all state of the local Kafka: `CLICKLIB_HOME`, or the user's data.

    Raises LocalBrokerError if the user has no home folder.
    """
    if chosen := named("CLICKLIB_HOME"):
        return chosen
    found = Path()
    with contextlib.suppress(RuntimeError):
        found = Path(platformdirs.user_data_dir("clicklib", appauthor=False))
    if not found.is_absolute():
        raise LocalBrokerError("this user has no home folder: name a folder in CLICKLIB_HOME")
    return found


def jars_directory() -> Path:
    """The directory of Kafka's jars: `CLICKLIB_JARS`, or `jars` in the home."""
    return named("CLICKLIB_JARS") or home() / "jars"


def patience() -> float:
    """For how many seconds Kafka goes on without a user: `CLICKLIB_KAFKA_IDLE`, or 60.

    Who starts a notebook again meets the same Kafka. Raises LocalBrokerError for other text.
    """
    text = os.environ.get("CLICKLIB_KAFKA_IDLE") or "60"
    with contextlib.suppress(ValueError):
        if math.isfinite(seconds := float(text)) and seconds >= 0:
            return seconds
    raise LocalBrokerError(
        f"CLICKLIB_KAFKA_IDLE is {text!r}: set it to the seconds that the local Kafka stays after "
        "its last user, or unset it"
    )


def named(variable: str) -> Path | None:
    """The path that an environment variable names, or None if it is unset.

    The path need not exist. Raises LocalBrokerError if the system refuses it as a path.
    """
    text = os.environ.get(variable)
    if not text:
        return None
    try:
        path = Path(text).expanduser().absolute()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.stat()
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or error
        raise LocalBrokerError(f"{variable} names a path that cannot be used: {why}") from error
    return path
