"""Screenshots of what the browser tests see, for those who ask for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page


class Pictures:
    """Takes screenshots into a folder; without a folder it takes none and costs no time."""

    def __init__(self, folder: str | None) -> None:
        self._folder = Path(folder) if folder else None
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True)

    @property
    def wanted(self) -> bool:
        return self._folder is not None

    def take(self, page: Page, name: str, **options: Any) -> None:
        """Take one of what is in sight."""
        if self._folder:
            page.screenshot(path=self._folder / f"{name}.png", **options)
