"""The end of a `with` block."""

from __future__ import annotations

from typing import Self

__all__ = ["Closing"]


class Closing:
    """Has something to close, such as a connection, and closes it at the end of a `with` block."""

    def close(self) -> None:
        """Free the connection; repeatable."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
