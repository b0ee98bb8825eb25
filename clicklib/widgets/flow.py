"""The flow of clicks, from the emitter to the view."""

from __future__ import annotations

from collections import Counter
from typing import Any

from clicklib.client.groups import Group
from clicklib.emitter import Emitter
from clicklib.engine.state import AT_REST, State
from clicklib.given import check
from clicklib.view import View
from clicklib.widgets.group_watch import GroupWatch, Processors, as_list, group_watch
from clicklib.widgets.picture import Picture, asset
from clicklib.widgets.rate import Rate

__all__ = ["FlowMap"]

_LEVELS = {
    State.RUNNING: "ok",
    State.FAILED: "failed",
    State.IDLE: "off",
    State.STOPPED: "off",
    State.STOPPING: "off",
}


class FlowMap(Picture):
    """emitter → topic → processor → table → view, each with its state and rate.

    Dots move along the arrows as records do, unless the reader's system asks for less motion. A
    stopped part is grey and a failed part is red; both also show their state as a word. The
    attributes `emitter`, `processor` and `view` may be set again at any time.
    """

    _esm = asset("flow.js")

    def __init__(
        self,
        emitter: Emitter | None = None,
        processor: Processors = None,
        view: View | None = None,
        *,
        watch: GroupWatch | None = None,
    ) -> None:
        check(emitter__none=emitter, processor=processor, view__none=view)
        self.emitter, self.processor, self.view = emitter, processor, view
        self._watch: GroupWatch = watch or group_watch(processor, view=view)
        self._rates: dict[str, Rate] = {}
        super().__init__()

    def look(self) -> dict[str, Any]:
        group = self._watch.latest()
        log, processor, table = self._topic(group), self._processor(group), self._table(group)
        parts: list[Any] = [self.emitter, *as_list(self.processor), self.view]
        errors = [part.error for part in parts if part is not None]
        return {
            "nodes": [self._emitter(), log, processor, table, self._view()],
            "error": "; ".join(str(each) for each in [*errors, self._watch.error or None] if each),
        }

    def _node(
        self, part: str, name: str, state: str, level: str, count: float | None, note: str = ""
    ) -> dict[str, Any]:
        """A part as it is drawn. Its rate is the growth of `count`, its number of records.

        For each record by which it grows, a dot moves into the part.
        """
        rate = "" if count is None else _speed(self._rates.setdefault(part, Rate()).of(count))
        part = part.partition(" ")[0]
        found = {"part": part, "name": name, "state": state, "level": level, "rate": rate}
        more = {"note": note or None, "count": count}
        return found | {key: value for key, value in more.items() if value is not None}

    def _emitter(self) -> dict[str, Any]:
        emitter = self.emitter
        if emitter is None:
            return self._node("emitter", "", "not given", "off", None)
        state, level = "ready", "ok"
        if emitter.error is not None:
            state, level = "failed", "failed"
        elif emitter.closed:
            state, level = "closed", "off"
        return self._node("emitter", "", state, level, emitter.stats().acknowledged)

    def _topic(self, group: Group | None) -> dict[str, Any]:
        progress = group.progress if group else ()
        name = ", ".join(sorted({each.topic for each in progress})) or ", ".join(self._watch.topics)
        state, level = self._reached(group)
        if progress and not self._watch.error:
            state = f"{len(progress)} partition{'s' * (len(progress) != 1)}"
        count = sum(each.end for each in progress) if progress else None
        return self._node("topic", name, state, level, count)

    def _reached(self, group: Group | None) -> tuple[str, str]:
        """State and level of a topic: whether Kafka answers."""
        if self._watch.error:
            return "unreachable", "failed"
        return ("ready", "ok") if group else ("…", "off")

    def _processor(self, group: Group | None) -> dict[str, Any]:
        members = len(group.members) if group else 0
        mine = as_list(self.processor)
        states = Counter(each.state for each in mine)
        inside = sum(each.state not in (*AT_REST, State.STOPPING) for each in mine)
        note = f"lag {group.lag:,}" if group else ""
        if not mine or members > inside:
            # Some members run elsewhere. The offsets that the group commits count all members.
            done = sum(each.committed or 0 for each in group.progress) if group else None
            state = f"{members} member{'s' * (members != 1)}"
            level = "failed" if states[State.FAILED] else "ok" if members else "off"
            return self._node("processor elsewhere", self._watch.group, state, level, done, note)
        state = ", ".join(
            word if len(mine) == 1 else f"{number} {word}" for word, number in states.items()
        )
        levels = {_LEVELS.get(each, "busy") for each in states}
        level = next(each for each in ("failed", "busy", "ok", "off") if each in levels)
        handled = sum(each.stats().records_in for each in mine)
        return self._node("processor", self._watch.group, state, level, handled, note)

    def _table(self, group: Group | None) -> dict[str, Any]:
        state, level = self._reached(group)
        mine = as_list(self.processor)
        name = self.view.table if self.view is not None else f"{self._watch.group}-table"
        written = sum(each.stats().rows_out for each in mine) if mine else None
        return self._node("table", name, state, level, written)

    def _view(self) -> dict[str, Any]:
        if self.view is None:
            return self._node("view", "", "not given", "off", None)
        state, read, note = self.view.state, None, ""
        if state is not State.IDLE:
            stats = self.view.stats()
            read = stats.records_in
            note = f"{stats.rows:,} row{'s' * (stats.rows != 1)}"
        return self._node("view", "", state.value, _LEVELS.get(state, "busy"), read, note)


def _speed(rate: float) -> str:
    return f"{rate:.1f}/s" if 0 < rate < 9.95 else f"{rate:,.0f}/s"
