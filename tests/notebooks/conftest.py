"""One local Kafka for the notebooks' kernels, and a folder for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clicklib import broker


# For the package, not for the run: what comes after has its own caches, Go's among them.
@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A machine with the fetched Kafka, on which only notebooks run: they share its broker."""
    folder = tmp_path_factory.mktemp("notebooks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLICKLIB_JARS", str(broker.fetch(progress=False)))
        patch.setenv("CLICKLIB_HOME", str(folder / "home"))
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.delenv("CLICKLIB_BROKERS", raising=False)
        broker.use(progress=False)  # it stays from one kernel to the next
        yield folder
        broker.stop()
        broker.release()


@pytest.fixture
def kernel_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which nothing ran yet, but for the fetched Kafka."""
    monkeypatch.setenv("CLICKLIB_JARS", str(broker.fetch(progress=False)))
    monkeypatch.setenv("CLICKLIB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CLICKLIB_BROKERS", raising=False)
    return tmp_path
