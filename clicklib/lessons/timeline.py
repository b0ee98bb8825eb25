"""The clicks of each partition over time, as a view sees them counted."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

from clicklib.clicks import PARTITIONS, User
from clicklib.given import check
from clicklib.keys import encode_key, partition_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Timeline"]

_BEFORE = 1.0  # seconds before the moment that a table is about
_KEPT = 200_000  # notes; older ones are forgotten, because a notebook may stay open for hours


class Timeline:
    """Notes when clicks are counted. Its `note` is the `on_update` of a view.

    timeline = Timeline()
    view = View(cluster, graph.table, clicks.UserCodec(), on_update=timeline.note)
    """

    def __init__(self, partitions: int = PARTITIONS) -> None:
        check(partitions=partitions)
        self._partitions = partitions
        self._last: dict[str, int] = {}
        self._notes: deque[tuple[float, int, int]] = deque(maxlen=_KEPT)

    def note(self, user: str, row: User | None) -> None:
        """The view has seen a row of `user`, now."""
        count = row.clicks if row else 0
        counted = count - self._last.get(user, 0)
        self._last[user] = count
        partition = partition_of(encode_key(user), self._partitions)
        self._notes.append((time.monotonic(), partition, counted))

    def rates(
        self, moment: float, until: float, names: Mapping[int, str], step: float = 0.5
    ) -> pd.DataFrame:
        """The clicks counted in each half second, from 1 s before `moment` to `until`, as a table.

        Both are of `time.monotonic`. `names` names each partition; partitions with the same name
        share a column.
        """
        check(names=names, step=step)
        import numpy as np

        seen = self._between(moment, until)
        seen["step"] = np.floor(seen.second / step).astype(int)
        seen["name"] = seen.partition.map(names)
        table = seen.pivot_table(index="step", columns="name", values="clicks", aggfunc="sum")
        # The last step is left out: it is not whole.
        steps = range(int(-_BEFORE / step), int((until - moment) / step))
        table = table.reindex(steps).fillna(0).astype(int)
        table.index = (table.index * step).rename("seconds")
        return table.rename_axis(columns=None)

    def pauses(self, moment: float, until: float) -> pd.Series:
        """The longest time without a counted click, in seconds, by partition."""
        seen = self._between(moment, until)
        pauses = seen.groupby("partition").second.apply(lambda second: second.diff().max())
        return pauses.round(2).rename("longest pause")

    def _between(self, moment: float, until: float) -> pd.DataFrame:
        check(moment=moment, until=until)
        import pandas as pd

        notes = [note for note in list(self._notes) if moment - _BEFORE <= note[0] <= until]
        seen = pd.DataFrame(notes, columns=["second", "partition", "clicks"])
        seen["second"] -= moment
        return seen
