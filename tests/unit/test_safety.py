"""What clicklib never does: run data as code, and let text from Kafka be anything but text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import clicklib
from clicklib import Processor, View, clicks
from clicklib.codec import Json
from clicklib.errors import CodecError
from clicklib.web import Endpoint

FOLDER = Path(clicklib.__file__).parent
SOURCES = sorted(FOLDER.rglob("*.py"))
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</td></table><iframe src=//evil.example>",
    "'\"><svg onload=alert(1)>",
    "&lt;script&gt;<!--",
    "<style>*{display:none}</style>",
]

MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "code", "codeop"}
CALLS = {"eval", "exec", "compile", "__import__", "execfile"}
METHODS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}


def dangers(tree: ast.AST) -> Iterator[str]:
    """What in a module's source would run data as code, or skip a check of a certificate."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from {alias.name.partition(".")[0] for alias in node.names} & MODULES
        elif isinstance(node, ast.ImportFrom):
            yield from {(node.module or "").partition(".")[0]} & MODULES
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in CALLS | METHODS or name.endswith((".read_pickle", ".to_pickle")):
                yield name
            yield from {ast.unparse(k) for k in node.keywords if k.arg == "shell"}
        elif isinstance(node, ast.Attribute) and node.attr == "CERT_NONE":
            yield node.attr


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from marshal import loads",
        "def f():\n    import dill.session",
        "eval('1')",
        "exec(text)",
        "subprocess.run(text, shell=True)",
        "os.system(text)",
        "pd.read_pickle(path)",
        "context.verify_mode = ssl.CERT_NONE",
    ],
)
def test_a_danger_is_found(source: str) -> None:
    assert list(dangers(ast.parse(source)))


# A lesson runs the course's own solutions, and the callback of its own notebook.
OWN = {
    "lessons/box.py": ["exec"],
    "lessons/counting.py": ["marshal"],
    "lessons/victim.py": ["marshal"],
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_no_data_is_run_as_code(path: Path) -> None:
    own = OWN.get(path.relative_to(FOLDER).as_posix(), [])
    assert list(dangers(ast.parse(path.read_text("utf-8")))) == own


class Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def view(name: str) -> View:
    return View("127.0.0.1:1", name, Json(), storage="memory")


@pytest.mark.parametrize("text", HOSTILE)
def test_names_and_errors_are_text_in_a_notebook(text: str) -> None:
    processor = Processor("127.0.0.1:1", clicks.graph(clicks.count), storage="memory")
    for service in (processor, view("t")):
        service._life.name = text
        service._life.fail(CodecError(text, key=text))
        page = Tags(service._repr_html_())
        assert page.tags <= {"table", "caption", "tr", "th", "td"}
        assert page.attributes <= {"style"}
        assert text in page.text


@pytest.mark.parametrize("text", HOSTILE)
def test_a_host_is_text_in_a_notebook(text: str) -> None:
    page = Tags(Endpoint(view("t"), 0, host=text)._repr_html_())
    assert page.tags == {"a"}
    assert page.attributes == {"href", "target"}


@pytest.mark.parametrize("text", HOSTILE)
def test_keys_and_values_are_text_in_a_frame(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[tuple[str, Any]] = [(text, {"a": text, text: 1}), (text + "2", text)]
    monkeypatch.setattr(View, "items", lambda self, prefix="": iter(rows))
    page = Tags(view("t").to_frame()._repr_html_())
    assert page.tags <= {"div", "style", "table", "thead", "tbody", "tr", "th", "td"}
    assert page.attributes <= {"border", "class", "style", "scoped"}
    assert text[:20] in page.text
