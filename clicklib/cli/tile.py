"""The tile "Clicks" in JupyterLab's launcher. It opens the page of all users and their counts.

jupyter-server-proxy finds it by the entry point in pyproject.toml. The first press starts
`clicklib view`, which ends with the Jupyter server.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

__all__ = ["tile"]


def tile() -> dict[str, Any]:
    """Return what jupyter-server-proxy asks of a program behind a tile."""
    return {
        "command": [sys.executable, "-m", "clicklib", "view", "--port", "{port}"],
        "timeout": 120.0,  # the first start of Kafka may have to fetch it
        # Whoever comes this way has logged in to Jupyter, under whatever name a hub has.
        "request_headers_override": {"Host": "localhost"},
        "update_last_activity": False,  # the page asks each second, also when nobody looks
        "launcher_entry": {
            "title": "Clicks",
            "icon_path": str(Path(__file__).with_name("tile.svg")),
        },
    }
