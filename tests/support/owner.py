"""A life for threads under test: it runs nothing and keeps what is reported to it."""

from __future__ import annotations

from clicklib.engine.lifecycle import Lifecycle


class Owner(Lifecycle):
    def __init__(self) -> None:
        super().__init__("bench", lambda: None)
        self.errors: list[BaseException] = []

    def fail(self, error: BaseException) -> None:
        self.errors.append(error)
