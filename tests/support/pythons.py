"""The Pythons of this machine that clicklib may be installed for.

`python -m tests.support.pythons` names the versions that are promised and not here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_ASK = "import ensurepip, sys, venv; print(*sys.version_info[:3], sep='.')"


def promised() -> list[str]:
    """The minor versions that pyproject.toml names, such as 3.11."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    return re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text)


@cache
def found() -> dict[str, str]:
    """An executable by full version, such as 3.11.2: all that are promised and here."""
    executables = {}
    for path in dict.fromkeys(path.resolve() for path in _candidates() if path.is_file()):
        try:
            # -I, so that the folder that the tests run in is not on the path of modules.
            done = subprocess.run(
                [path, "-I", "-c", _ASK], capture_output=True, text=True, timeout=9
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        version = done.stdout.strip()
        if done.returncode == 0 and version.rpartition(".")[0] in promised():
            executables.setdefault(version, str(path))
    return dict(sorted(executables.items(), key=lambda item: [*map(int, item[0].split("."))]))


def _candidates() -> Iterator[Path]:
    """What may be a Python: the one that runs this, those of pyenv, of the PATH and the system."""
    yield Path(sys.base_prefix, "python.exe" if os.name == "nt" else "bin/python3")
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob("versions/*/bin/python"))
    for folder in [*os.get_exec_path(), "/usr/bin", "/usr/local/bin"]:
        if not Path(folder).is_relative_to(pyenv):  # there are scripts that look for a Python
            yield from (Path(folder, f"python{minor}") for minor in [*promised(), "3", ""])


if __name__ == "__main__":
    here = {version.rpartition(".")[0] for version in found()}
    if left_out := [minor for minor in promised() if minor not in here]:
        print(f"Left out: Python {' and '.join(left_out)}, which was not found here.")
