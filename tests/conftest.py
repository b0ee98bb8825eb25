"""What all tests have in common."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.waiting import wait_until

# A busy machine is slow; times are measured in benchmarks/.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")

# A Kafka of a test's own goes with it, as those do that it starts in other processes.
os.environ["CLICKLIB_KAFKA_IDLE"] = "1"


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Its `loadgroup` does the same by marks, but not with pytest 9.2."""
    from tests.support.schedule import Files

    return Files(config, log)


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
