"""The text of keys and values: how a picture shows it, and how it sorts it."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["natural", "readable"]


def readable(text: str, limit: int = 200) -> str:
    """`text` as a browser can show it: U+FFFD stands for each byte that was not UTF-8."""
    if len(text) > limit:
        text = text[:limit] + "…"
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@lru_cache(maxsize=1 << 14)
def natural(key: str) -> tuple[str, ...]:
    """A sort key that puts user-2 before user-10."""
    return tuple(part.zfill(20) if part.isdigit() else part for part in re.split(r"(\d+)", key))
