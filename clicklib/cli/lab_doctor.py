"""What `clicklib lab` needs: the notebooks, their kernel, and what draws the widgets."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from clicklib.cli.doctor import Finding, folder, hidden_modules, port
from clicklib.cli.handout import FIRST, Handout, State
from clicklib.cli.terminal import has_browser

__all__ = ["examine_lab", "extensions", "kernel", "notebooks"]

# The folder of the extension of JupyterLab, by the package that has it.
_EXTENSIONS = {
    "anywidget": "anywidget",
    "jupyterlab_widgets": "@jupyter-widgets/jupyterlab-manager",
    "plotly": "jupyterlab-plotly",
}


def examine_lab(handout: Handout) -> Iterator[Finding]:
    """Look at what `clicklib lab` needs beside the rest. Starts and changes nothing."""
    yield notebooks(list(handout.states().values()))
    yield folder("their folder", handout.folder, "name another: clicklib lab FOLDER")
    beside = (handout.folder / FIRST).parent
    yield from hidden_modules([beside] if beside.is_dir() else [])
    yield kernel()
    yield extensions()
    if has_browser():
        yield Finding("ok", "browser", "found")
    else:
        yield Finding("note", "browser", "none here: open the address that JupyterLab prints")
    yield port(8888, (), "JupyterLab takes the next free one")


def notebooks(states: list[State]) -> Finding:
    """Whether the notebooks are installed, and how many of the reader's files are old."""
    if not states:
        return Finding("missing", "notebooks", "not installed: install clicklib anew")
    old = states.count(State.OLD) + states.count(State.KEPT)
    text = f"{len(states)} files, {states.count(State.MISSING)} of them to be put there"
    if old:
        return Finding("note", "notebooks", f"{text}, {old} newer: see clicklib lab --update")
    return Finding("ok", "notebooks", text)


def kernel() -> Finding:
    """Whether JupyterLab runs the notebooks in this Python, which has clicklib."""
    try:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    except ModuleNotFoundError:
        return Finding("missing", "kernel", "no Jupyter here: pip install jupyterlab ipykernel")
    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return Finding("missing", "kernel", "python3 is not there: pip install ipykernel")
    program = spec.argv[0]
    own = {"python", "python3", f"python3.{sys.version_info.minor}"}  # JupyterLab's own
    if program in own or os.path.abspath(program) == os.path.abspath(sys.executable):
        return Finding("ok", "kernel", f"python3 from {spec.resource_dir}")
    return Finding(
        "missing",
        "kernel",
        f"python3 in {spec.resource_dir} runs {program}, which may have no clicklib: "
        f"{sys.executable} -m ipykernel install --sys-prefix",
    )


def extensions() -> Finding:
    """Whether JupyterLab finds what draws the widgets and plots."""
    try:
        from jupyter_core.paths import jupyter_path
    except ModuleNotFoundError:
        return Finding("missing", "widgets", "no Jupyter here: pip install jupyterlab")
    folders = [Path(path) for path in jupyter_path("labextensions")]
    absent = [
        package
        for package, name in _EXTENSIONS.items()
        if not any((path / name).is_dir() for path in folders)
    ]
    if absent:
        advice = f"pip install --force-reinstall {' '.join(absent)}"
        return Finding("missing", "widgets", f"JupyterLab does not find what draws them: {advice}")
    return Finding("ok", "widgets", "JupyterLab finds what draws them")
