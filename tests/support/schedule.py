"""Which process of a run gets which tests."""

from __future__ import annotations

import re
from typing import Any

from xdist.scheduler import LoadScopeScheduling

__all__ = ["Files"]

_BROWSER = "tests/browser/"
_NOTEBOOKS = (f"{_BROWSER}test_notebooks.py", "tests/notebooks/test_run.py")
_GROUPS = 4  # of notebooks, each with a JupyterLab or a Kafka of its own
_BROWSERS = 2  # at a time: one takes a core while it draws, and the other tests mostly wait


class Files(LoadScopeScheduling):
    """Gives the tests of a file to one process, for they share what starts slowly.

    The long files that run each notebook are several.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        found = re.search(r"\[(\d\d)[_.]", test)
        if found and file in _NOTEBOOKS:
            return f"{file} {int(found[1]) % _GROUPS}"
        return file

    def _assign_work_unit(self, node: Any) -> None:
        if sum(map(self._draws, self.nodes)) >= _BROWSERS:
            others = (scope for scope in self.workqueue if not scope.startswith(_BROWSER))
            if other := next(others, ""):
                self.workqueue.move_to_end(other, last=False)
        super()._assign_work_unit(node)

    def _draws(self, node: Any) -> bool:
        """Whether a process has tests in a browser to run."""
        work = self.assigned_work[node]
        return any(not all(work[scope].values()) for scope in work if scope.startswith(_BROWSER))
