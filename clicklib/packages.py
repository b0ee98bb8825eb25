"""Packages that need not be installed: only some parts of clicklib cannot be used without them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["needing"]


@contextmanager
def needing(part: str) -> Iterator[None]:
    """Wraps imports: if a package is missing, the error says that `part` needs it.

    Raises ModuleNotFoundError with the command that installs the package.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "clicklib") or package in sys.stdlib_module_names:
            raise
        raise ModuleNotFoundError(
            f"{part} needs the package {package}: pip install {package}", name=error.name
        ) from None
