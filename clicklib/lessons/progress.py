"""What a reader has solved. It is remembered on the reader's machine."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from clicklib.broker.paths import home

__all__ = ["Progress"]


class Progress:
    """The exercises that were solved, each with the help that was used: one small file for each.

    They lie in `CLICKLIB_HOME`, in the folder `progress`. Where nothing can be written, nothing is
    remembered, and no call fails.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or home() / "progress"

    def solved(self) -> dict[str, str]:
        """The help that was used, by the key of the exercise: "alone", "hints" or "solution".

        Files of others may lie there, such as those of a file manager.
        """
        found = {}
        for path in sorted(self.folder.glob("[0-9][0-9].[0-9]*")):
            with contextlib.suppress(OSError, UnicodeDecodeError):
                found[path.name] = path.read_text("utf-8").strip()
        return found

    def note(self, key: str, help: str) -> None:
        """Remember that an exercise is solved. The first time counts."""
        path = self.folder / key
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_text(f"{help}\n", "utf-8")

    def reset(self) -> None:
        """Forget everything. Raises OSError if the folder cannot be deleted."""
        if self.folder.exists():
            shutil.rmtree(self.folder)
