"""What a teacher sets for a student: the file `class.env` beside the student's notebooks.

Each line is a name and a value, as in `CLICKLIB_PREFIX=anna-`. `clicklib lab` takes them for the
notebooks that it opens; a variable that is set already has precedence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from clicklib.errors import UsageError

__all__ = ["FILE", "parsed", "read_settings", "write_settings"]

FILE = "class.env"

# None of them names a program or a folder to write to: the file comes from somebody else.
_LINE = re.compile(
    r"(CLICKLIB_(?:BROKERS|PREFIX|SOLUTIONS|SECURITY_PROTOCOL|SSL_CAFILE"
    r"|SASL_(?:MECHANISM|USERNAME|PASSWORD)))=(.*)"
)


def read_settings(folder: Path) -> dict[str, str]:
    """The settings in a folder; none if it has no such file. Raises UsageError for wrong ones."""
    return parsed(folder / FILE) if (folder / FILE).exists() else {}


def parsed(path: Path) -> dict[str, str]:
    """The settings in a file. Raises UsageError if it cannot be read, or for a line of it."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the settings in {path} cannot be read: {error}") from error
    found = {}
    for number, line in enumerate(map(str.strip, lines), start=1):
        setting = _LINE.fullmatch(line)
        if setting is not None:
            found[setting[1]] = setting[2]
        elif line and not line.startswith("#"):
            raise UsageError(
                f"line {number} of {path} is no setting of a class, such as CLICKLIB_PREFIX=anna-: "
                "repair it or remove it"
            )
    return found


def write_settings(folder: Path, settings: Mapping[str, str]) -> None:
    """Write the settings into a folder, for its owner alone: a password may be among them."""
    path = folder / FILE
    path.unlink(missing_ok=True)
    path.touch(0o600, exist_ok=False)
    path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), "utf-8")
