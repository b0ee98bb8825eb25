"""Which process of a run gets which tests."""

from __future__ import annotations

import re
from typing import Any

from xdist.scheduler import LoadScopeScheduling

__all__ = ["Files"]

_BROWSER = "tests/browser/"
_NOTEBOOKS = (f"{_BROWSER}test_notebooks.py", "tests/notebooks/test_run.py")
_GROUPS = 7  # of notebooks: small enough that all processes end at about the same time
_BROWSERS = 2  # processes: one takes a core while it draws, and the other tests mostly wait


class Files(LoadScopeScheduling):
    """Gives the tests of a file to one process, for they share what starts slowly.

    The long files that run each notebook are several. Two processes have all files that need a
    browser, for they also share a JupyterLab.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        found = re.search(r"\[(\d\d)[_.]", test)
        if found and file in _NOTEBOOKS:
            return f"{file} {int(found[1]) % _GROUPS}"
        return file

    def _assign_work_unit(self, node: Any) -> None:
        draws = self._has_drawn(node) or sum(map(self._has_drawn, self.nodes)) < _BROWSERS
        fits = (scope for scope in self.workqueue if scope.startswith(_BROWSER) == draws)
        if scope := next(fits, ""):
            self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)

    def _has_drawn(self, node: Any) -> bool:
        """Whether a process was given tests in a browser."""
        return any(scope.startswith(_BROWSER) for scope in self.assigned_work[node])
