"""The pages that are made of notebooks, opened as files: all is drawn, and no machine is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from docs.site.__main__ import build
from tests.browser.pictures import Pictures
from tests.support import pages


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    assert build(pages.notebooks(folder), folder / "html") == []
    return folder / "html"


@pytest.fixture(params=["light", pytest.param("dark", marks=pytest.mark.long)])
def reader(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A window that must show no error in its console and load files only."""
    page = browser.new_page(color_scheme=request.param)
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request",
        lambda asked: (
            None if asked.url.startswith(("file:", "blob:", "data:")) else wrong.append(asked.url)
        ),
    )
    yield page
    page.close()
    assert wrong == []


def test_a_reader_goes_through_the_pages(reader: Page, site: Path, pictures: Pictures) -> None:
    reader.goto((site / "index.html").as_uri())
    reader.get_by_role("link", name="A plot").click()
    picture = reader.get_by_role("img", name="emitter to user-clicks")
    expect(picture).to_be_visible()
    assert picture.evaluate("(image) => image.naturalWidth") == 90
    expect(reader.locator(".js-plotly-plot .scatterlayer path.js-line")).to_be_visible()
    pictures.take(reader, "site plot")

    reader.get_by_role("link", name="next").click()
    bars = reader.get_by_role("img", name="Clicks: 17 by 2 users: <b>user-4</b> 12, user-3 5")
    expect(bars).to_be_visible()
    expect(bars.locator("rect.bar")).to_have_count(2)
    expect(reader.get_by_text("press <me>", exact=True)).to_be_visible()
    expect(reader.get_by_text("rate 7")).to_be_visible()
    pictures.take(reader, "site widget")
    reader.get_by_role("link", name="back").click()
    expect(reader).to_have_title("A plot")


def test_the_colours_follow_the_reader_s(reader: Page, site: Path) -> None:
    reader.goto((site / "b_widget.html").as_uri())
    dark = reader.evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches")
    for place in ("body", ".jp-RenderedMarkdown", ".clicklib"):
        ink = reader.locator(place).first.evaluate("(el) => getComputedStyle(el).color")
        red = int(ink.partition("(")[2].split(",")[0])
        assert red > 180 if dark else red < 80, f"{place} is {ink}"
