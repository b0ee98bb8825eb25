"""Runs a notebook, and hears what its widgets show."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from jupyter_client import KernelClient
from nbclient import NotebookClient
from nbformat import NotebookNode

_SECONDS = 120  # for a cell
_LAST_LOOK = 2.5  # seconds, in which each picture is drawn again


class Runner(NotebookClient):
    """Keeps the last state of each widget, also of those that are closed, in `states`.

    nbclient itself leaves out what a kernel's thread sends while another cell runs.
    """

    def __init__(self, book: NotebookNode, folder: Path) -> None:
        self.states: dict[str, dict[str, Any]] = {}
        super().__init__(
            book,
            timeout=_SECONDS,
            store_widget_state=False,
            on_cell_execute=self._pause,
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
            resources={"metadata": {"path": str(folder)}},
        )

    async def _pause(self, cell: NotebookNode, cell_index: int) -> None:
        """The last cell stops everything: let the widgets draw what there is before."""
        code = [each for each in self.nb.cells if each.cell_type == "code"]
        if cell is code[-1] and self.states:
            await asyncio.sleep(_LAST_LOOK)

    async def async_start_new_kernel_client(self) -> KernelClient:
        client = await super().async_start_new_kernel_client()
        channel = client.iopub_channel
        get = channel.get_msg

        async def heard(**options: Any) -> dict[str, Any]:
            message = await get(**options)
            if message["msg_type"] in ("comm_open", "comm_msg"):
                content = message["content"]
                state = self.states.setdefault(content["comm_id"], {})
                state.update(content["data"].get("state", {}))
            return message

        channel.get_msg = heard
        return client
