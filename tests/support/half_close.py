"""Connections through a proxy of which one direction has ended."""

from __future__ import annotations

from typing import Any

from clicklib.breaking.proxy import Proxy

__all__ = ["half_close"]


def half_close(proxy: Proxy) -> None:
    """Tell the clients that nothing more will come (FIN), and go on taking what they send."""

    async def end_answers() -> None:
        writers: list[Any] = [each for each in proxy._open if "write" not in vars(each)]
        for writer in writers:
            writer.write_eof()
            writer.write = lambda data: None

    proxy._do(end_answers())
