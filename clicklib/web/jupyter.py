"""The way to an endpoint through Jupyter, for a browser on another machine than the notebook.

The package jupyter-server-proxy answers below `proxy/<port>/` of a Jupyter server with what listens
on that port of the server's machine, to those who are logged in.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

__all__ = ["base_path", "proxied_path"]


def proxied_path(port: int, environ: Mapping[str, str] = os.environ) -> str | None:
    """The path of a port at the Jupyter server of this kernel, or None if there is no such server.

    It begins and ends with a slash. A browser puts the server's name before it.
    """
    base = base_path(environ)
    return None if base is None else f"{base.rstrip('/')}/proxy/{port}/"


def base_path(environ: Mapping[str, str]) -> str | None:
    """The path at which the Jupyter server of this kernel answers, or None.

    A JupyterHub names it. Else it is in the note that a server keeps of itself while it runs.
    """
    found = environ.get("JUPYTERHUB_SERVICE_PREFIX")
    if not found and (server := environ.get("JPY_PARENT_PID", "")).isdecimal():
        with suppress(ImportError, OSError, ValueError, LookupError, TypeError):
            from jupyter_core.paths import jupyter_runtime_dir

            note = Path(jupyter_runtime_dir(), f"jpserver-{server}.json")
            found = json.loads(note.read_text("utf-8"))["base_url"]
    return found if isinstance(found, str) and found.startswith("/") else None
