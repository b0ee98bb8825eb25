"""Runs a notebook, and hears what its widgets show."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_client import KernelClient
from nbclient import NotebookClient
from nbformat import NotebookNode

_SECONDS = 120  # for a cell
_LAST_LOOK = 2.5  # seconds, in which each picture is drawn once more


class Runner(NotebookClient):
    """Keeps in `states` what each widget was before the last cell, which may stop them.

    nbclient itself leaves out what a kernel's thread sends while another cell runs.
    """

    def __init__(self, book: NotebookNode, folder: Path) -> None:
        self.states: dict[str, dict[str, Any]] = {}
        self._settled = False
        super().__init__(
            book,
            timeout=_SECONDS,
            store_widget_state=False,
            on_cell_execute=self._before,
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
            resources={"metadata": {"path": str(folder)}},
        )

    async def _before(self, cell: NotebookNode, cell_index: int) -> None:
        """Hear the widgets out before the last cell: the kernel ends after it."""
        code = [each for each in self.nb.cells if each.cell_type == "code"]
        if cell is not code[-1] or not self.states:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_LOOK):
                while True:
                    await self.kc.iopub_channel.get_msg()
        self._settled = True

    async def async_start_new_kernel_client(self) -> KernelClient:
        client = await super().async_start_new_kernel_client()
        channel = client.iopub_channel
        get = channel.get_msg

        async def heard(**options: Any) -> dict[str, Any]:
            message = await get(**options)
            self._hear(message["msg_type"], message["content"])
            return message

        channel.get_msg = heard
        return client

    def _hear(self, kind: str, content: dict[str, Any]) -> None:
        if kind == "comm_open" or (kind == "comm_msg" and not self._settled):
            state = self.states.setdefault(content["comm_id"], {})
            state.update(content["data"].get("state", {}))
