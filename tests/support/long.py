"""What `make test` tries in few cases, and `make test-long` in all of them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def cases(name: str, quick: Iterable[object], long: Iterable[object]) -> pytest.MarkDecorator:
    """A parameter with the values of each run, and those of a long one."""
    values = [*quick, *(pytest.param(value, marks=pytest.mark.long) for value in long)]
    return pytest.mark.parametrize(name, values)


# Most of the other tests run at_least_once.
GUARANTEES = cases("guarantee", ["exactly_once"], ["at_least_once"])
