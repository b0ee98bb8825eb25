"""The doctor: it looks for all that clicklib needs, and says what to do about what is missing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

import click
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import clicklib
from clicklib.broker import home, needs, status
from clicklib.broker.jars import Jar, missing, pinned
from clicklib.broker.java import find_java
from clicklib.broker.paths import jars_directory, patience
from clicklib.broker.ports import is_free
from clicklib.cli.handout import FIRST, Handout, State
from clicklib.cli.terminal import has_browser
from clicklib.client.cluster import Cluster
from clicklib.client.connect import allow_files
from clicklib.client.security import checked
from clicklib.errors import ClicklibError
from clicklib.stores.folders import default_state_dir
from clicklib.stores.lmdb import LmdbStorage

__all__ = ["Finding", "examine", "tell"]

_FILES = 512  # for ten processors or views, beside what Python and Jupyter take

# The folder of the extension of JupyterLab, by the package that has it.
_EXTENSIONS = {
    "anywidget": "anywidget",
    "jupyterlab_widgets": "@jupyter-widgets/jupyterlab-manager",
    "plotly": "jupyterlab-plotly",
}


@dataclass(frozen=True)
class Finding:
    """A line of the report; `state` is `ok`, `missing`, or `note` if clicklib works without it."""

    state: str
    name: str
    text: str

    @classmethod
    def of(cls, name: str, look: Callable[[], str], advice: str = "") -> Finding:
        """`ok` with the text that `look` returns, or `missing` with the error that it raises."""
        try:
            return cls("ok", name, look())
        except (ClicklibError, OSError) as error:
            return cls("missing", name, f"{error}{advice}")

    @property
    def is_missing(self) -> bool:
        return self.state == "missing"

    def __str__(self) -> str:
        return f"{self.state:<8}{self.name}: {self.text}"


def examine(handout: Handout | None = None) -> Iterator[Finding]:
    """Look at everything, one finding after the other. Starts and changes nothing.

    A handout is what `clicklib lab` opens; then it also looks for what the notebooks need.
    """
    yield Finding("ok", "Python", platform.python_version())
    yield from _packages(importlib.metadata.requires("clicklib") or [], _installed)
    yield from _modules_here()
    yield from _proxy()
    elsewhere = os.environ.get("CLICKLIB_BROKERS", "").strip()
    if elsewhere:
        yield _reachable(elsewhere)
        yield Finding.of("security settings", _login, ": correct CLICKLIB_BROKERS or those")
    yield Finding.of("local stores", _stores, ": name another folder in CLICKLIB_STATE_DIR")
    yield _open_files(allow_files())
    for finding in _local_kafka():
        yield replace(finding, state="note") if elsewhere and finding.is_missing else finding
    yield _port(9095, (), "choose another with --port")
    if handout is not None:
        yield from _lab(handout)


def tell(findings: Iterable[Finding]) -> None:
    """Print the findings as they come, and end with exit code 1 if something is missing."""
    missing = False
    for finding in findings:
        click.echo(str(finding))
        missing = missing or finding.is_missing
    if missing:
        raise click.exceptions.Exit(1)


def _packages(
    requirements: Iterable[str], version_of: Callable[[str], str | None]
) -> Iterator[Finding]:
    """The packages that clicklib requires, given as in its metadata, without its extras."""
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        requirement.marker = None
        found = version_of(requirement.name)
        fault = _fault(requirement.specifier, found)
        if fault is None:
            yield Finding("ok", requirement.name, str(found))
        else:
            yield Finding("missing", requirement.name, f"{fault}: pip install '{requirement}'")


def _fault(wanted: SpecifierSet, found: str | None) -> str | None:
    """The fault of a version, or None. A pre-release counts as the release that it precedes."""
    if found is None:
        return "not installed"
    version = Version(Version(found).base_version)
    if wanted.contains(version):
        return None
    old = any(each.operator == ">=" and version < Version(each.version) for each in wanted)
    return f"{found} is too {'old' if old else 'new'}"


def _installed(name: str) -> str | None:
    """The version of an installed package, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _modules_here() -> Iterator[Finding]:
    """What `_hidden_modules` finds in this program's folder, and in those with notebooks in it."""
    try:
        beside = {path.parent for path in Path.cwd().glob("*/*.ipynb")}
        yield from _hidden_modules([Path.cwd(), *sorted(beside)])
    except OSError as error:  # the folder may be deleted, or closed to this user
        text = f"it cannot be looked through for modules that hide others: {error}"
        yield Finding("note", "this folder", text)


def _hidden_modules(folders: Iterable[Path]) -> Iterator[Finding]:
    """The modules in `folders` that Python would load there instead of an installed one."""
    known = sys.stdlib_module_names | importlib.metadata.packages_distributions().keys()
    own = Path(clicklib.__file__).parent
    for folder in folders:
        for path in sorted(folder.iterdir()):
            is_module = path.suffix == ".py" or (path / "__init__.py").is_file()
            if is_module and path.stem in known and not path.samefile(own):
                yield Finding(
                    "missing",
                    path.stem,
                    f"{path} hides the module {path.stem} from the notebooks and programs beside "
                    "it: rename it",
                )


def _proxy() -> Iterator[Finding]:
    """Whether requests to this machine, such as to a view's endpoint, would go to a proxy."""
    if "http" in getproxies() and not proxy_bypass("localhost"):
        yield Finding(
            "note",
            "http_proxy",
            "requests to localhost (the endpoint of a view) go to the proxy: "
            "set no_proxy=localhost,127.0.0.1",
        )


def _reachable(addresses: str, timeout: float = 2.0) -> Finding:
    """Whether one of the addresses in CLICKLIB_BROKERS takes a connection."""
    # The text before an '@' may be a password.
    shown = [address.strip().rpartition("@")[2] for address in addresses.split(",")]
    for address in shown:
        host, _, number = address.rpartition(":")
        with suppress(OSError, ValueError, OverflowError):
            socket.create_connection((host.strip("[]"), int(number)), timeout).close()
            return Finding("ok", "CLICKLIB_BROKERS", f"{address} answers")
    advice = "correct it, or unset it for a Kafka of this machine"
    text = f"nothing answers at {', '.join(shown)}: {advice}"
    return Finding("missing", "CLICKLIB_BROKERS", text)


def _login() -> str:
    """The protocol in the security settings beside CLICKLIB_BROKERS, which must fit together."""
    cluster = Cluster.from_environment()
    return str(checked(cluster.security if cluster else {}).get("security_protocol", "PLAINTEXT"))


def _stores() -> str:
    """Try whether local copies of tables can be kept where they are kept by default."""
    directory = default_state_dir()
    with tempfile.TemporaryDirectory(dir=_existing(directory), prefix=".clicklib-") as scratch:
        LmdbStorage(Path(scratch, "store"), "tried by the doctor").close()
    return f"{directory} can be written"


def _open_files(limit: int) -> Finding:
    """Whether a program may open files enough for a few processors and views."""
    text = f"{limit} allowed at once"
    if limit >= _FILES:
        return Finding("ok", "open files", text)
    advice = "a processor of ten partitions takes about 40: raise the limit (ulimit -n)"
    return Finding("note", "open files", f"{text}, {advice}")


def _local_kafka() -> Iterator[Finding]:
    """The needs of a Kafka on this machine, and whether it runs."""
    try:
        needs.name_that_fits(home(), jars_directory())
    except ClicklibError as error:
        yield Finding("missing", "Kafka's folder", str(error))
        yield _java()
        return
    yield _folder("Kafka's folder", home(), "name another in CLICKLIB_HOME")
    yield Finding.of("CLICKLIB_KAFKA_IDLE", lambda: f"{patience():g} s from its last user on")
    yield _java()
    yield _jars(pinned(), jars_directory())
    yield Finding.of("memory", needs.memory)
    yield Finding.of("disk", lambda: needs.disk(_existing(home())))
    running = [each for each in status() if each.running]
    for each in running:
        yield Finding("ok", "Kafka", f"running at {','.join(each.addresses)}")
    if not running:
        yield Finding("note", "Kafka", "not running; it starts with its first user")
    taken = [address for each in running for address in each.addresses]
    yield _port(9092, taken, "the local Kafka takes the next free one")


def _java() -> Finding:
    """The Java that Kafka would run with."""

    def look() -> str:
        found = find_java()
        return f"{found.version} from {found.source}, {found.path}"

    return Finding.of("Java", look)


def _jars(wanted: Sequence[Jar], directory: Path) -> Finding:
    """Whether all jars are there with the right bytes."""
    absent = missing(wanted, directory)
    if not absent:
        return Finding("ok", "Kafka's jars", f"{len(wanted)} verified in {directory}")
    return Finding(
        "missing",
        "Kafka's jars",
        f"{len(absent)} of {len(wanted)} are missing or damaged in {directory}: "
        "run clicklib broker fetch (the first start does it too)",
    )


def _lab(handout: Handout) -> Iterator[Finding]:
    """The notebooks, their kernel, and what draws the widgets."""
    yield _notebooks(list(handout.states().values()))
    yield _folder("their folder", handout.folder, "name another: clicklib lab FOLDER")
    beside = (handout.folder / FIRST).parent
    yield from _hidden_modules([beside] if beside.is_dir() else [])
    with suppress(ModuleNotFoundError):  # `_packages` names what is missing
        yield _kernel()
        yield _extensions()
    if has_browser():
        yield Finding("ok", "browser", "found")
    else:
        yield Finding("note", "browser", "none here: open the address that JupyterLab prints")
    yield _port(8888, (), "JupyterLab takes the next free one")


def _notebooks(states: list[State]) -> Finding:
    """Whether the notebooks are installed, and how many of the reader's files are old."""
    if not states:
        return Finding("missing", "notebooks", "not installed: install clicklib anew")
    old = states.count(State.OLD) + states.count(State.KEPT)
    text = f"{len(states)} files, {states.count(State.MISSING)} of them to be put there"
    if old:
        return Finding("note", "notebooks", f"{text}, {old} newer: see clicklib lab --update")
    return Finding("ok", "notebooks", text)


def _kernel() -> Finding:
    """Whether JupyterLab runs the notebooks in this Python, which has clicklib."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

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


def _extensions() -> Finding:
    """Whether JupyterLab finds what draws the widgets and plots."""
    from jupyter_core.paths import jupyter_path

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


def _folder(name: str, directory: Path, advice: str) -> Finding:
    """Whether a directory can be written, or made; a file is written and deleted to try it."""
    try:
        with tempfile.TemporaryFile(dir=_existing(directory), prefix=".clicklib-") as file:
            file.write(b"\0")
    except OSError as error:
        why = error.strerror or error
        return Finding("missing", name, f"{directory} cannot be written ({why}): {advice}")
    return Finding("ok", name, f"{directory} can be written")


def _port(number: int, ours: Iterable[str], advice: str) -> Finding:
    """Whether a port is free; `ours` are the addresses of a Kafka that may hold it."""
    if any(address.endswith(f":{number}") for address in ours):
        return Finding("ok", f"port {number}", "the local Kafka listens there")
    if is_free(number):
        return Finding("ok", f"port {number}", "free")
    return Finding("note", f"port {number}", f"taken by another program: {advice}")


def _existing(path: Path) -> Path:
    """The path, or the nearest directory above it that exists."""
    return next(place for place in (path, *path.parents) if os.path.exists(place))
