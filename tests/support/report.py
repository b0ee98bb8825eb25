"""A pytest plugin: says how many tests of each kind ran, and how many were skipped.

`make test` loads it with `-p tests.support.report`. A test's kind is its folder below tests/. With
CI=true a skipped test fails the run: nothing is left out there.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

_RAN = ("passed", "failed", "error", "xfailed", "xpassed")


def _kinds(config: pytest.Config, *outcomes: str) -> Counter[str]:
    """How many tests had one of these outcomes, by kind; a test counts once."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:  # a worker of pytest-xdist: its controller counts
        return Counter()
    reports = [report for name in outcomes for report in reporter.stats.get(name, ())]
    names = {report.nodeid for report in reports}
    return Counter(name.removeprefix("tests/").partition("/")[0] for name in names)


def _skips_fail(config: pytest.Config) -> bool:
    return os.environ.get("CI") == "true" and bool(_kinds(config, "skipped"))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _skips_fail(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    ran, skipped = _kinds(config, *_RAN), _kinds(config, "skipped")
    terminalreporter.section("tests of each kind")
    for kind in sorted(ran | skipped):
        terminalreporter.line(f"{kind:<12}{ran[kind]:>5} ran {skipped[kind]:>5} skipped")
    if _skips_fail(config):
        terminalreporter.line("CI=true: a skipped test fails the run", red=True)
