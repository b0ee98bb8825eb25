"""What a cluster's answers about a topic that was made just now mean."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import kafka.errors
import pytest

from clicklib.client import admin
from clicklib.client.admin import Admin


@pytest.mark.parametrize(
    "error", [kafka.errors.UnknownTopicOrPartitionError(), kafka.errors.UnknownBrokerIdError(-1)]
)
def test_a_new_topic_that_is_not_known_or_has_no_leader_yet_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    errors = [error]

    def bounds(*_: Any) -> dict[Any, Any]:
        if errors:
            raise errors.pop()
        return {}

    found = {"name": "clicks", "error_code": 0, "partitions": [0]}
    asking = Admin.__new__(Admin)
    asking._timeout = 5.0
    asking._admin = SimpleNamespace(
        create_topics=lambda _: None, describe_topics=lambda _: [found], close=lambda: None
    )
    monkeypatch.setattr(admin, "bounds", bounds)
    assert asking.create("clicks", 1, 1, {}) == found
    assert errors == []
