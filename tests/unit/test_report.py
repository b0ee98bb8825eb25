"""The report at the end of `make test`: what ran, for how long, and what may not be left out."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

QUICK = "import time\ndef test_it(): time.sleep(0.6)\n"
LONG = "import pytest\n@pytest.mark.long\ndef test_it(): pass\n"
SKIPPED = "import pytest\ndef test_it(): pytest.skip('not here')\n"


class Project:
    """Two kinds of tests, each with one that is quick."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self._pytester, self._patch = pytester, monkeypatch
        pytester.makeini("[pytest]\ntestpaths = tests\nmarkers = long\n")
        self.write("tests/unit/test_a.py", QUICK)
        self.write("tests/kafka/test_b.py", QUICK)

    def write(self, file: str, text: str) -> None:
        path = self._pytester.path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, ci: bool, *args: str) -> tuple[int, str]:
        """The exit code and what is printed by a run as make begins it."""
        self._patch.setenv("CI", "true" if ci else "")
        done = self._pytester.runpytest_inprocess("-p", "tests.support.report", *args)
        return int(done.ret), done.stdout.str()


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(pytester, monkeypatch)


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "with a worker"])
def test_each_kind_is_told_with_its_tests_and_seconds(
    project: Project, workers: tuple[str, ...]
) -> None:
    code, said = project.run(True, "-m", "not long", *workers)
    assert code == 0
    told = dict(line.split(maxsplit=1) for line in said.splitlines() if line.endswith(" s"))
    assert [told[kind].split() for kind in ("kafka", "unit")] == [
        ["1", "ran", "0", "skipped", "1", "s"]
    ] * 2
    assert "nothing ran" not in said


def test_a_file_of_which_nothing_ran_fails_the_run_in_ci(project: Project) -> None:
    project.write("tests/kafka/test_c.py", LONG)
    for ci in (True, False):
        code, said = project.run(ci, "-m", "not long")
        assert code == ci
        assert "nothing ran of tests/kafka/test_c.py" in said


@pytest.mark.parametrize("chosen", ["-m long", "-m not_long tests/unit", "-m not_long -k test_a"])
def test_a_run_of_some_tests_may_leave_files_out(project: Project, chosen: str) -> None:
    project.write("tests/kafka/test_c.py", LONG)
    arguments = [argument.replace("_long", " long") for argument in chosen.split()]
    code, said = project.run(True, *arguments)
    assert (code, "nothing ran" in said) == (0, False)


def test_a_skipped_test_fails_the_run_in_ci(project: Project) -> None:
    project.write("tests/kafka/test_b.py", SKIPPED)
    assert project.run(False)[0] == 0
    code, said = project.run(True)
    assert code == 1
    assert "CI=true: 1 skipped" in said


def test_one_process_runs_a_file(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("from tests.conftest import pytest_xdist_make_scheduler")
    test = "import os\ndef test_{0}(): open('log', 'a').write(f'{{__name__}} {{os.getpid()}} ')\n"
    for name in ("test_a", "test_b"):
        pytester.makepyfile(**{name: "".join(map(test.format, range(4)))})
    pytester.runpytest_inprocess("-n", "2").assert_outcomes(passed=8)
    words = (pytester.path / "log").read_text().split()
    assert len(set(zip(words[::2], words[1::2], strict=True))) == 2
