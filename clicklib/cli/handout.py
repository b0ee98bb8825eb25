"""A handout: the reader's own copy of the course, in a folder of the reader's choice.

It holds the notebooks, their pictures and the pages that they link to, in the folders that the
links name. The file `.clicklib.json` beside them holds a digest of each file as it was put there:
so a file that the reader has changed is told from one that has only become old.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

import clicklib
from clicklib.broker.files import write_whole
from clicklib.errors import UsageError

__all__ = ["FIRST", "Handout", "State", "course"]

FIRST = "notebooks/00_user_clicks.ipynb"

# pyproject.toml puts the same files into the wheel.
_FILES = (
    "notebooks/*.ipynb",
    "notebooks/pictures/*.svg",
    "docs/glossary.md",
    "docs/promises.md",
    "docs/reliability.md",
    "docs/wire.md",
)


class State(Enum):
    """How a file of the handout stands to the course's."""

    MISSING = "missing"
    SAME = "same"
    OLD = "old"  # as it was put there, and the course has a newer one
    CHANGED = "changed"  # by the reader, and the course has nothing newer
    KEPT = "kept"  # changed by the reader, and the course has a newer one


def course() -> Path:
    """The folder of the course: in the installed package, or in a clone its top folder."""
    installed = Path(clicklib.__file__).with_name("course")
    return installed if installed.is_dir() else installed.parents[1]


class Handout:
    """The copy of the course in `folder`. It is no copy if the folder is the course's own.

    The calls raise UsageError if the folder cannot be read or written.
    """

    def __init__(self, folder: Path, source: Path | None = None) -> None:
        self.folder = folder.absolute()
        self.source = source or course()
        self._notes = self.folder / ".clicklib.json"

    def states(self) -> dict[str, State]:
        """The state of each file of the course, by its name with slashes."""
        try:
            put = self._put_before()
            return {name: self._state(name, put.get(name)) for name in self._names()}
        except OSError as error:
            raise self._refused(error) from error

    def put(self, update: bool = False) -> None:
        """Put what is missing there, and for an `update` what is old."""
        states = self.states()
        wanted = {State.MISSING, State.OLD} if update else {State.MISSING}
        try:
            put = self._put_before()
            for name, state in states.items():
                if state in wanted:
                    data = (self.source / name).read_bytes()
                    (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                    write_whole(self.folder / name, data)
                if state in wanted or state is State.SAME:
                    put[name] = _digest(self.source / name)
            if self.folder.resolve() != self.source.resolve():
                write_whole(self._notes, json.dumps(put, indent=1).encode())
        except OSError as error:
            raise self._refused(error) from error

    def _names(self) -> Iterator[str]:
        for pattern in _FILES:
            for path in sorted(self.source.glob(pattern)):
                yield path.relative_to(self.source).as_posix()

    def _state(self, name: str, before: str | None) -> State:
        path = self.folder / name
        if not path.exists():
            return State.MISSING
        digest, newest = _digest(path), _digest(self.source / name)
        if digest == newest:
            return State.SAME
        if digest == before:
            return State.OLD
        return State.CHANGED if before == newest else State.KEPT

    def _put_before(self) -> dict[str, str]:
        try:
            notes = json.loads(self._notes.read_bytes())
        except (FileNotFoundError, ValueError):  # then every file that differs counts as changed
            return {}
        return notes if isinstance(notes, dict) else {}

    def _refused(self, error: OSError) -> UsageError:
        return UsageError(
            f"the notebooks cannot be kept in {self.folder}: {error}; name another folder"
        )


def _digest(path: Path) -> str:
    """A digest of a file; of a notebook, of what is in its cells, without outputs and counters."""
    data = path.read_bytes()
    if path.suffix == ".ipynb":
        with contextlib.suppress(ValueError, LookupError, TypeError):  # no notebook: its bytes
            cells = [
                (each["cell_type"], "".join(each["source"])) for each in json.loads(data)["cells"]
            ]
            data = json.dumps(cells).encode()
    return hashlib.sha256(data).hexdigest()
