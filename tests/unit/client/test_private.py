"""Each name in kafka-python that is used and not public: it is there, and it is listed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from clicklib import client
from tests.unit.client.private_names import NAMES, Name

SOURCES = {p.stem: p.read_text("utf-8") for p in Path(client.__file__).parent.glob("*.py")}
TREES = {name: ast.parse(source) for name, source in SOURCES.items()}


@pytest.mark.parametrize("entry", NAMES, ids=lambda entry: f"{entry.owner} {entry.name}")
def test_a_name_is_there(entry: Name) -> None:
    assert entry.is_there(), (
        f"kafka-python has no {entry.name} in {entry.owner} any more: {entry.use}"
    )


@pytest.mark.parametrize(
    "entry",
    [
        Name("kafka.producer:KafkaProducer", "_postman", ""),
        Name("kafka.producer:Pigeon", "_sender", ""),
        Name("kafka.pigeon", "Pigeon", ""),
    ],
)
def test_a_name_that_is_gone_is_noticed(entry: Name) -> None:
    assert not entry.is_there()


def own(tree: ast.Module) -> set[str]:
    """The names that a module defines itself, in its classes too."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        if isinstance(node.value, ast.Name) and node.value.id == "self"
    } | {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("module", sorted(TREES))
def test_a_name_that_is_used_is_listed(module: str) -> None:
    tree = TREES[module]
    used = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    used |= {
        n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) if isinstance(n.value, str)
    }
    hidden = {name for name in used if name.isidentifier() and name[:1] == "_" != name}
    hidden = {name for name in hidden if not name.endswith("__")}
    assert hidden - own(tree) - {entry.name for entry in NAMES} == set()


def test_a_name_that_is_listed_is_used() -> None:
    text = "\n".join(SOURCES.values())
    assert [entry.name for entry in NAMES if entry.name not in text] == []
