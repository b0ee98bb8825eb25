"""Killing a broker of the local Kafka; test_run of the notebooks does it."""

from __future__ import annotations

import pytest

from clicklib import broker
from clicklib.client.cluster import Cluster
from clicklib.errors import LocalBrokerError
from clicklib.lessons.brokers import kill_broker


def test_a_broker_elsewhere_is_not_killed_and_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broker, "status", list)
    with pytest.raises(LocalBrokerError, match=r"broker 2 of far:9092 .* unset CLICKLIB_BROKERS"):
        kill_broker(Cluster(("far:9092",)), 2)
