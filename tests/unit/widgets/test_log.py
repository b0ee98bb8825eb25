"""The log of a topic."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from clicklib.client.logs import LogRecord, PartitionLog
from clicklib.widgets import LogView
from clicklib.widgets import log as module
from tests.unit.widgets.fakes import NOWHERE
from tests.waiting import wait_until


def test_the_log_has_records_tombstones_and_holes(monkeypatch: pytest.MonkeyPatch) -> None:
    records = (LogRecord(3, "<b>", b"\xff1", 0), LogRecord(7, "user-1", None, 0))
    logs = SimpleNamespace(newest=lambda _: [PartitionLog(0, 1, 9, 2, records)], close=lambda: None)
    monkeypatch.setattr(module, "Logs", lambda *args, **kwargs: logs)
    picture = LogView(NOWHERE, "clicks")
    wait_until("the log was read", lambda: picture.paint() or picture.data["partitions"])
    assert picture.data["partitions"] == [
        {
            "partition": 0,
            "begin": 1,
            "end": 9,
            "entries": [
                {"hole": 1, "offset": 2, "open": True},
                {"offset": 3, "key": "<b>", "value": "\N{REPLACEMENT CHARACTER}1"},
                {"hole": 3, "offset": 4, "open": False},
                {"offset": 7, "key": "user-1", "value": None},
                {"hole": 1, "offset": 8, "open": False},
            ],
        }
    ]
