"""What `__all__` says is what is there, and each of it has its sentence."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import clicklib

MODULES = [info.name for info in pkgutil.iter_modules(clicklib.__path__)]
STORY = {"__main__", "clicks"}  # read as a page, not imported for their names
PUBLIC = [name for name in MODULES if not name.startswith("_") and name not in STORY]


def load(name: str) -> ModuleType:
    return importlib.import_module(f"clicklib.{name}")


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


def exported(name: str) -> list[tuple[str, Any]]:
    module = load(name)
    return [(each, getattr(module, each)) for each in module.__all__]


def test_the_modules_of_the_readme_are_public() -> None:
    words = "cluster codec context emitter errors graph processor storage tester topics view web"
    assert set(words.split()) <= set(PUBLIC)


@pytest.mark.parametrize("name", [name for name in MODULES if name not in STORY])
def test_the_names_of_a_module_are_there_sorted_and_named_once(name: str) -> None:
    module = load(name)
    assert [each for each in module.__all__ if not hasattr(module, each)] == []
    assert len(set(module.__all__)) == len(module.__all__)
    assert not [each for each in module.__all__ if each.startswith("_")]


@pytest.mark.parametrize("name", PUBLIC)
def test_what_a_module_defines_in_public_is_in_its_list(name: str) -> None:
    module = load(name)
    assert made_in(module) - set(module.__all__) == set()


@pytest.mark.parametrize("name", [name for name in MODULES if name not in STORY])
def test_each_name_has_a_sentence(name: str) -> None:
    silent = [
        each
        for each, value in exported(name)
        if (inspect.isclass(value) or inspect.isroutine(value)) and not inspect.getdoc(value)
    ]
    assert silent == []


@pytest.mark.parametrize("name", MODULES)
def test_each_module_opens_with_a_sentence(name: str) -> None:
    file = importlib.import_module(f"clicklib.{name}").__file__ or ""
    source = Path(file).read_text(encoding="utf-8")
    assert source.startswith('"""')


@pytest.mark.parametrize(
    "name", ["Context", "Emitter", "Processor", "View", "Tester", "TopicManager", "Cluster"]
)
def test_what_a_notebook_calls_has_a_sentence(name: str) -> None:
    kind = next(value for module in PUBLIC for each, value in exported(module) if each == name)
    silent = [
        method
        for method, value in inspect.getmembers(kind)
        if not method.startswith("_")
        and (inspect.isroutine(value) or isinstance(value, property))
        and not inspect.getdoc(value)
    ]
    assert set(silent) <= {"close", "state"}  # these say it themselves


def test_the_package_has_the_words_of_goka() -> None:
    assert sorted(clicklib.__all__) == sorted(
        [
            "Cluster",
            "Emitter",
            "Graph",
            "Input",
            "Persist",
            "Processor",
            "View",
            "define_group",
            "group_table",
        ]
    )
    assert [each for each in clicklib.__all__ if not hasattr(clicklib, each)] == []


@pytest.mark.parametrize("name", clicklib.__all__)
def test_each_name_of_the_package_is_public_in_its_own_module(name: str) -> None:
    module = getattr(clicklib, name).__module__
    assert name in importlib.import_module(module).__all__
