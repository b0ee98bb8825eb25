"""The page of the web endpoint, as a browser shows it."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from clicklib import Endpoint, State

ROWS = {"big": (1 << 53) + 1, "price": Decimal("1.50"), "user-3": {"Clicks": 7}, "<b>": "<i>"}


@pytest.fixture
def address() -> Any:
    view = SimpleNamespace(
        state=State.RUNNING, error=None, items=lambda prefix: ROWS.items(), get=ROWS.get
    )
    with Endpoint(view, port=0) as endpoint:
        yield endpoint.url


def test_the_page_shows_each_value_with_all_its_digits(window: Page, address: str) -> None:
    window.goto(address)
    shown = ["9007199254740993", "1.50", '{"Clicks":7}', '"<i>"']
    expect(window.locator("tbody td")).to_have_text(shown)
    expect(window.locator("tbody th")).to_have_text(list(ROWS))
