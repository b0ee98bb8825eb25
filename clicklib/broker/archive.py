"""The class archive of Kafka: Java maps all classes from one file, and starts in half the time.

It lies beside the jars, and is named by the Java and the jars that it is for. It is a help only: if
it is missing, does not fit or is damaged, Kafka starts without it. `trial` makes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clicklib.broker.java import Java
from clicklib.broker.node import Node

__all__ = ["Archive"]

_KEPT = 2  # somebody may change between two Javas


@dataclass(frozen=True)
class Archive:
    """The archive for a node's Java and jars; `file` need not exist.

    An empty file says that this Java wrote none, as one before 25 without an archive of its own.
    """

    java: Java
    file: Path

    @classmethod
    def of(cls, java: Java, paths: Sequence[Path], node: Node) -> Archive:
        """The archive of these jars for nodes that name them as `node` does."""
        executable = java.path.resolve()
        about = [str(executable), *map(node.name_of, paths)]
        for path in (executable, executable.parent.parent / "release", *paths):
            with contextlib.suppress(OSError):
                stat = path.stat()
                about.append(f"{stat.st_size} {int(stat.st_mtime)}")
        key = hashlib.sha256("\n".join(about).encode(errors="surrogateescape")).hexdigest()
        return cls(java, paths[0].parent / f"classes-{key[:16]}.jsa")

    def flags(self, node: Node) -> list[str]:
        """Java's flags that use it, none if there is no archive."""
        with contextlib.suppress(OSError):
            if self.file.stat().st_size > 0:
                return self.java.flags_to_use(node.name_of(self.file))
        return []

    def is_due(self) -> bool:
        """Whether it was not tried to make it. Windows cannot ask Java to end by itself."""
        return os.name == "posix" and not self.file.exists()

    def discard(self) -> None:
        """Delete the file."""
        with contextlib.suppress(OSError):
            self.file.unlink(missing_ok=True)

    def keep(self, scratch: Path) -> None:
        """Move what Java has written into place, and delete what nothing has used for longest."""
        scratch.touch()
        os.replace(scratch, self.file)
        found = sorted(
            self.file.parent.glob("classes-*.jsa"), key=lambda path: path.stat().st_mtime
        )
        for path in found[:-_KEPT]:
            path.unlink(missing_ok=True)
