"""Each check fails, and says why, as long as its exercise is not done; test_run does them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.notebooks.books import NAMES, code, errors, read, run, tagged, tags
from tests.support.long import cases


@pytest.mark.timeout(300)
@cases("name", ["04_codec"], [name for name in NAMES if name != "04_codec"])
def test_without_the_solutions_each_check_fails_and_says_why(
    home: Path, tmp_path: Path, name: str
) -> None:
    book = read(name)
    book.cells = [cell for cell in book.cells if "solution" not in tags(cell)]
    run(book, tmp_path, allow_errors=True)
    assert [cell.id for cell in tagged(book, "exercise") if errors(cell)] == []
    failed = {cell.id: [error.ename for error in errors(cell)] for cell in tagged(book, "check")}
    assert failed == {cell.id: ["AssertionError"] for cell in tagged(book, "check")}
    silent = [cell.id for cell in tagged(book, "check") if len(errors(cell)[0].evalue) < 20]
    assert silent == [], "an assertion without a message helps nobody"
    assert not errors(code(book)[-1]), "the last cell stops everything, exercises done or not"
