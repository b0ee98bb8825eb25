"""What all tests have in common."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.waiting import wait_until

# A busy machine is slow; times are measured in benchmarks/.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")

# A Kafka of a test's own goes with it, as those do that it starts in other processes.
os.environ["CLICKLIB_KAFKA_IDLE"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file run in one process, for they share what starts slowly.

    A test may name another group.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.name))


@pytest.fixture(autouse=True)
def no_thread_outlives_a_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """In the unit tests; the other ones share brokers, whose threads are the run's."""
    before = set(threading.enumerate())
    yield
    if "unit" in request.path.parts:
        wait_until(
            "all threads that the test began have ended",
            lambda: not [t for t in set(threading.enumerate()) - before if t.is_alive()],
            timeout=10,
            every=0.01,
        )
