"""Each part of kafka-python that is used and not public: it is there, and it is listed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from clicklib.client import private
from clicklib.client.private import PARTS, Part

ROOM = Path(private.__file__).parent
TREES = {p.stem: ast.parse(p.read_text("utf-8")) for p in ROOM.glob("*.py") if p.stem != "private"}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part.owner} {part.name}")
def test_a_part_is_there(part: Part) -> None:
    assert part.is_there(), f"kafka-python has no {part.name} in {part.owner} any more: {part.use}"


@pytest.mark.parametrize(
    "part",
    [
        Part("kafka.producer:KafkaProducer", "_postman", ""),
        Part("kafka.producer:Pigeon", "_sender", ""),
        Part("kafka.pigeon", "Pigeon", ""),
    ],
)
def test_a_part_that_is_gone_is_noticed(part: Part) -> None:
    assert not part.is_there()


def own(tree: ast.Module) -> set[str]:
    """The names that a module defines itself, in its classes too."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        if isinstance(node.value, ast.Name) and node.value.id == "self"
    } | {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("module", sorted(TREES))
def test_a_part_that_is_used_is_listed(module: str) -> None:
    tree = TREES[module]
    used = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    used |= {
        n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) if isinstance(n.value, str)
    }
    hidden = {name for name in used if name.isidentifier() and name[:1] == "_" != name}
    hidden = {name for name in hidden if not name.endswith("__")}
    assert hidden - own(tree) - {part.name for part in PARTS} == set()


def test_a_part_that_is_listed_is_used() -> None:
    text = "\n".join(
        path.read_text("utf-8") for path in ROOM.glob("*.py") if path.stem != "private"
    )
    assert [part.name for part in PARTS if part.name not in text] == []
