"""Values of every kind that a program may hand to a codec, nested; and whether two are the same."""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from hypothesis import strategies as st


class User(msgspec.Struct):
    clicks: int = msgspec.field(default=0, name="Clicks")


@dataclass
class Point:
    x: int
    y: int = 0


class Colour(enum.Enum):
    RED = 1


class Grade(enum.IntEnum):
    GOOD = 1


class Place(NamedTuple):
    row: int


class Loose(msgspec.Struct):
    what: Any = None


class Unequal(msgspec.Struct, eq=False):
    what: int | float | None = None


class Basket(list):
    pass


words = st.text(st.characters(codec=None), max_size=5)
zones = st.none() | st.timezones()
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(1 << 70), 1 << 70),
    st.floats(),
    words,
    st.binary(max_size=5),
    st.binary(max_size=5).map(bytearray),
    st.decimals(),
    st.fractions(),
    st.complex_numbers(),
    st.datetimes(timezones=zones),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.uuids(),
    st.sampled_from([Colour.RED, Grade.GOOD, msgspec.UNSET, object(), range(3)]),
    st.builds(msgspec.Raw, st.sampled_from([b"1", b"[]", b'"a"'])),
)
anything = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(Basket),
        st.lists(inner, max_size=3).map(tuple),
        st.sets(st.integers() | words, max_size=3),
        st.dictionaries(st.one_of(words, st.integers(), st.floats(), st.none()), inner, max_size=3),
        st.lists(words, max_size=3).map(Counter),
        *(st.builds(kind, inner) for kind in (User, Place, Loose, Unequal, Point)),
    ),
    max_leaves=6,
)


def same(value: Any, back: Any) -> bool:
    """Whether they are equal, and of one class but for subclasses and whole floats."""
    if isinstance(value, Unequal | User | Loose | Point):
        fields = [(getattr(value, n), getattr(back, n, None)) for n in type(value).__annotations__]
        return type(value) is type(back) and all(same(*pair) for pair in fields)
    if isinstance(value, list | tuple):
        return (
            isinstance(value, type(back))
            and len(value) == len(back)
            and all(map(same, value, back))
        )
    if isinstance(value, dict):
        return value == back or (
            isinstance(back, dict)
            and value.keys() == back.keys()
            and all(same(value[key], back[key]) for key in value)
        )
    if isinstance(value, datetime) and value.tzinfo and isinstance(back, datetime):
        return value.timestamp() == back.timestamp()
    return value == back or (type(value) is Decimal is type(back) and value.is_nan())
