"""The one door and what stands behind it: names that are there, each with its sentence."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import clicklib

FOLDER = Path(clicklib.__file__).parent
MODULES = [
    info.name
    for info in pkgutil.walk_packages(clicklib.__path__, "clicklib.")
    if not info.name.endswith(".__main__")
]
LISTED = [name for name in MODULES if name != "clicklib.clicks"]  # that one is read as a page
CALLED = ["Cluster", "Context", "Emitter", "Endpoint", "Groups", "Logs", "Processor", "Tester"]
CALLED += ["TopicManager", "View"]


def load(name: str) -> ModuleType:
    return importlib.import_module(name)


def made_in(module: ModuleType) -> set[str]:
    """The classes and functions that the module defines, without the underscored ones."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and callable(value)
        and hasattr(value, "__qualname__")
        and getattr(value, "__module__", None) == module.__name__
    }


def door() -> dict[str, str]:
    """The names of the door and the modules that hold them; a module of its own stands for ''."""
    return {
        alias.name: node.module or ""
        for node in ast.parse((FOLDER / "__init__.pyi").read_text("utf-8")).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.parametrize("name", LISTED)
def test_the_names_of_a_module_are_there_and_named_once(name: str) -> None:
    module = load(name)
    names = getattr(module, "__all__", [])
    assert [each for each in names if not hasattr(module, each)] == []
    assert len(set(names)) == len(names)
    assert not [each for each in names if each.startswith("_")]


@pytest.mark.parametrize("name", LISTED)
def test_what_a_module_defines_in_public_is_in_its_list(name: str) -> None:
    module = load(name)
    assert made_in(module) - set(getattr(module, "__all__", [])) == set()


@pytest.mark.parametrize("name", LISTED)
def test_each_name_has_a_sentence(name: str) -> None:
    module = load(name)
    silent = [
        each
        for each in getattr(module, "__all__", [])
        if inspect.isclass(value := getattr(module, each)) or inspect.isroutine(value)
        if not inspect.getdoc(value)
    ]
    assert silent == []


@pytest.mark.parametrize("name", MODULES)
def test_each_module_opens_with_a_sentence(name: str) -> None:
    source = Path(load(name).__file__ or "").read_text(encoding="utf-8")
    assert source.startswith('"""')


@pytest.mark.parametrize("name", CALLED)
def test_what_a_notebook_calls_has_a_sentence(name: str) -> None:
    silent = [
        method
        for method, value in inspect.getmembers(getattr(clicklib, name))
        if not method.startswith("_")
        and (inspect.isroutine(value) or isinstance(value, property))
        and not inspect.getdoc(value)
    ]
    assert set(silent) <= {"close", "state"}  # these say it themselves


# The door.


@pytest.mark.parametrize("name", sorted(door()))
def test_each_name_of_the_door_is_public_in_its_own_module(name: str) -> None:
    value: Any = getattr(clicklib, name)
    if not door()[name]:
        assert value is load(f"clicklib.{name}")
    else:
        module = load(f"clicklib.{door()[name]}")
        assert value is getattr(module, name)
        assert name in module.__all__


def test_the_door_has_what_it_lists_and_nothing_else() -> None:
    assert dir(clicklib) == sorted(door()) == sorted(clicklib.__all__)
    with pytest.raises(AttributeError):
        clicklib.Nothing  # noqa: B018


def test_the_door_has_every_error() -> None:
    errors = load("clicklib.errors")
    assert {name for name in errors.__all__ if inspect.isclass(getattr(errors, name))} <= set(
        door()
    )


def test_the_door_has_the_words_of_goka() -> None:
    words = "Context Emitter Graph Input Persist Processor Tester View define_group group_table"
    assert set(words.split()) <= set(door())
