"""A pytest plugin: says how many tests of each kind ran, for how long, and what was left out.

`make test` loads it with `-p tests.support.report`. A test's kind is its folder below tests/. With
CI=true the run fails when a test was skipped, or when nothing of a test file ran: a file keeps at
least one test that is not marked `long`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

_RAN = ("passed", "failed", "error", "xfailed", "xpassed")


def _reports(config: pytest.Config, outcomes: Iterable[str] = ()) -> Iterator[pytest.TestReport]:
    """The reports with one of these outcomes, or all of them: set-up, call and tear-down."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:  # a worker of pytest-xdist: its controller counts
        return
    for name in outcomes or reporter.stats:
        for report in reporter.stats.get(name, ()):
            if isinstance(report, pytest.TestReport):
                yield report


def _kind(nodeid: str) -> str:
    return nodeid.removeprefix("tests/").partition("/")[0]


def _kinds(config: pytest.Config, *outcomes: str) -> Counter[str]:
    """How many tests had one of these outcomes, by kind; a test counts once."""
    return Counter(map(_kind, {report.nodeid for report in _reports(config, outcomes)}))


def _seconds(config: pytest.Config) -> Counter[str]:
    """How long the tests of each kind took together, with what they set up."""
    seconds: Counter[str] = Counter()
    for report in _reports(config):
        seconds[_kind(report.nodeid)] += report.duration
    return seconds


def _silent_files(config: pytest.Config) -> list[str]:
    """The test files of which no test ran, in a run of all that is not long."""
    chosen = config.args_source is not pytest.Config.ArgsSource.TESTPATHS or config.option.keyword
    if chosen or config.option.markexpr != "not long":
        return []
    ran = {report.nodeid.partition("::")[0] for report in _reports(config)}
    files = {
        path.relative_to(config.rootpath).as_posix()
        for folder in config.getini("testpaths")
        for path in (config.rootpath / Path(folder)).rglob("test_*.py")
    }
    return sorted(files - ran)


def _complaints(config: pytest.Config) -> list[str]:
    """What CI does not let pass."""
    skipped = sum(_kinds(config, "skipped").values())
    found = [f"{skipped} skipped: here nothing is left out"] if skipped else []
    return found + [
        f"nothing ran of {file}: each file keeps a test that is not marked long"
        for file in _silent_files(config)
    ]


def _is_strict() -> bool:
    return os.environ.get("CI") == "true"


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    passed = session.exitstatus == pytest.ExitCode.OK
    if passed and _is_strict() and not _is_worker(session.config) and _complaints(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _is_worker(config: pytest.Config) -> bool:
    return not config.pluginmanager.has_plugin("terminalreporter")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    ran, skipped, seconds = _kinds(config, *_RAN), _kinds(config, "skipped"), _seconds(config)
    terminalreporter.section("tests of each kind")
    for kind in sorted(ran | skipped):
        terminalreporter.line(
            f"{kind:<12}{ran[kind]:>5} ran {skipped[kind]:>5} skipped {seconds[kind]:>6.0f} s"
        )
    for complaint in _complaints(config):
        terminalreporter.line(("CI=true: " if _is_strict() else "") + complaint, red=_is_strict())
