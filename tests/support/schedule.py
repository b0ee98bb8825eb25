"""Which process of a run gets which tests."""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling

__all__ = ["Files"]

_NOTEBOOKS = 4  # groups of notebooks in a browser, which run side by side


class Files(LoadScopeScheduling):
    """Gives the tests of a file to one process, for they share what starts slowly.

    The long file that opens each notebook in a browser is several.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        found = re.search(r"\[(\d\d)[_.]", test)
        if found and file.endswith("browser/test_notebooks.py"):
            return f"{file} {int(found[1]) % _NOTEBOOKS}"
        return file
