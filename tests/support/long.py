"""What `make test` tries in few cases, and `make test-long` in all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def cases(
    names: str | tuple[str, ...], quick: Iterable[Any], long: Iterable[Any]
) -> pytest.MarkDecorator:
    """A parameter, or several, with the values of each run and those of a long one."""

    def as_case(value: Any, *marks: pytest.MarkDecorator) -> Any:
        values = (value,) if isinstance(names, str) else value
        return pytest.param(*values, marks=marks)

    marked = (as_case(value, pytest.mark.long) for value in long)
    return pytest.mark.parametrize(names, [*map(as_case, quick), *marked])


# Most of the other tests run at_least_once.
GUARANTEES = cases("guarantee", ["exactly_once"], ["at_least_once"])
