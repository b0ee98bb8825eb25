"""The pages that are made of notebooks: complete, linked, and asking no other machine."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from docs.site.__main__ import DOCUMENTS, main
from tests.support import pages

PLACES = {"script": "src", "link": "href", "img": "src", "a": "href", "iframe": "src"}


class Places(HTMLParser):
    """What a page loads or leads to, and its anchors."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.anchors: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.anchors.add(values.get("id") or "")
        if values.get(PLACES.get(tag, "")):
            self.found.append(values[PLACES[tag]] or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of three notebooks, of which the first fails, and what the command said."""
    folder = tmp_path_factory.mktemp("site")
    books = [str(path) for path in pages.notebooks(folder, fails=True)]
    result = CliRunner().invoke(main, [*books, "--to", str(folder / "html")])
    (folder / "said.txt").write_text(f"{result.exit_code}\n{result.output}")
    return folder / "html"


def text(site: Path, name: str) -> str:
    return (site / f"{name}.html").read_text("utf-8")


@pytest.mark.timeout(300)
def test_a_notebook_that_fails_is_told_at_the_end_and_the_others_are_made(site: Path) -> None:
    code, *lines = (site.parent / "said.txt").read_text().splitlines()
    assert code == "1"
    assert [line.split()[0] for line in lines[:3]] == ["a_fails", "a_plot", "b_widget"]
    assert lines[3] == f"Open {(site / 'index.html').as_uri()}"
    said = "\n".join(lines[4:])
    assert said.startswith("\nFailed: a_fails.ipynb: ")
    assert "1 / 0" in said
    assert "ZeroDivisionError: division by zero" in said
    assert "a_plot" not in said
    assert "ZeroDivisionError" in text(site, "a_fails")
    assert "the check ran" in text(site, "a_plot")


def test_nothing_is_loaded_from_elsewhere_and_links_lead_somewhere(site: Path) -> None:
    made = {path.name: Places(path.read_text("utf-8")) for path in site.glob("*.html")}
    written = {"index.html", *(f"{name}.html" for name in DOCUMENTS)}
    assert set(made) == {*written, "a_fails.html", "a_plot.html", "b_widget.html"}
    for name, places in made.items():
        for place in places.found:
            assert not re.match(r"\w+:|//", place), f"{name} names {place}"
            file, _, anchor = place.partition("#")
            file = file or name
            assert (site / file).is_file(), f"{name} names {place}"
            assert not anchor or anchor in made[file].anchors, f"{name} names {place}"
    assert {"a_fails.html", "a_plot.html", "b_widget.html"} <= set(made["index.html"].found)
    for style in site.glob("*.css"):
        loaded = re.findall(r"@import.*|url\((?!data:).*?\)", style.read_text("utf-8"))
        assert loaded == [], style.name


def test_widgets_are_those_before_the_last_cell_and_pages_stay_small(site: Path) -> None:
    html = text(site, "b_widget")
    assert '"total": 17' in html
    assert "press &lt;me&gt;" in html
    assert "&lt;b&gt;user-4" in html
    assert "user-4</b>" not in html
    assert len(html) < 30_000
    assert "plotly.min.js" not in html
