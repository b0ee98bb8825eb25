"""Small files that several processes read while one writes them."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

__all__ = ["last_lines", "write_whole"]


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old or the new one, never a part."""
    scratch = path.with_name(f".{path.name}-{os.getpid()}")
    scratch.write_bytes(data)
    for _ in range(100):
        try:
            os.replace(scratch, path)
            return
        except PermissionError:  # Windows, while another process reads the old one
            if os.name != "nt":
                raise
            time.sleep(0.01)
    raise TimeoutError(f"{path} is held open by another process")


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a text file, none if it is not there; reads at most its last 64 KB."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65536))
        return file.read().decode(errors="replace").splitlines()[-count:]
    return []
