"""The faults of all targets: each is bounded, and says what to expect."""

from __future__ import annotations

import pytest

from clicklib.breaking.brokers import BreakableBroker
from clicklib.breaking.faults import Fault, faults_of
from clicklib.breaking.processor import BreakableProcessor
from clicklib.client.cluster import Cluster
from clicklib.errors import LocalBrokerError

PROCESSOR = faults_of(object.__new__(BreakableProcessor))
BROKER = faults_of(object.__new__(BreakableBroker))


def test_all_that_happens_in_production_is_there() -> None:
    links = ["cut", "freeze", "slow", "delay"]
    ends = ["stop", "kill", "suspend", "start"]
    assert list(PROCESSOR) == [*ends, *links, "slow_callback", "fill_disk"]
    assert list(BROKER) == ["kill", "suspend"]


@pytest.mark.parametrize("fault", [*PROCESSOR.values(), *BROKER.values()])
def test_each_is_bounded_and_says_in_sentences_what_to_expect(fault: Fault) -> None:
    assert fault.expect.endswith(".")
    assert 40 < len(fault.expect) < 220
    assert bool(fault.undo) == bool(fault.seconds)
    assert fault.seconds <= 20


def test_a_broker_elsewhere_is_not_harmed() -> None:
    broker = BreakableBroker(Cluster(("far:9092", "away:9092")), 2)
    for harm in (broker.kill, broker.suspend):
        with pytest.raises(LocalBrokerError, match=r"2 of far:9092.* unset CLICKLIB_BROKERS"):
            harm()
    broker.heal()
