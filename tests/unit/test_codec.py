"""Values and keys become the bytes that Goka writes, and come back."""

from __future__ import annotations

import math
import re
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clicklib import Input, Persist, Tester, define_group
from clicklib.codec import Bytes, Int64, Json, String
from clicklib.errors import CodecError
from clicklib.keys import decode_key, encode_key
from tests.support.values import Basket, Colour, Loose, Place, Point, Unequal, User, anything, same

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


def name(value: Any) -> str:
    """A test's id: the same in every process, so no repr of a codec."""
    known = (str, bytes, bytearray, int, float, type(None))
    return repr(value)[:40] if isinstance(value, known) else type(value).__name__


@given(st.text())
def test_text_comes_back(value: str) -> None:
    assert String().decode(String().encode(value)) == value == String().encode(value).decode()


@given(st.binary())
def test_bytes_come_back_as_they_are(value: bytes) -> None:
    assert Bytes().decode(Bytes().encode(value)) == value == Bytes().encode(value)


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_whole_numbers_come_back_from_their_decimal_digits(value: int) -> None:
    data = Int64().encode(value)
    assert (data, Int64().decode(data)) == (str(value).encode("ascii"), value)


@given(json_values)
def test_json_comes_back(value: Any) -> None:
    assert Json().decode(Json().encode(value)) == value


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_typed_json_comes_back(clicks: int) -> None:
    codec = Json(User)
    assert codec.decode(codec.encode(User(clicks))) == User(clicks)


@pytest.mark.parametrize(
    ("codec", "value", "data"),
    [
        (String(), "", b""),
        (String(), "päng", b"p\xc3\xa4ng"),
        (Bytes(), b"", b""),
        (Int64(), 0, b"0"),
        (Int64(), -7, b"-7"),
        (Int64(), (1 << 63) - 1, b"9223372036854775807"),
        (Int64(), -(1 << 63), b"-9223372036854775808"),
        (Json(User), User(153), b'{"Clicks":153}'),
        (Json(Point), Point(1), b'{"x":1,"y":0}'),
        (Json(dict[str, int]), {"a": 1}, b'{"a":1}'),
        (Json(), None, b"null"),
    ],
    ids=name,
)
def test_values_have_these_bytes(codec: Any, value: Any, data: bytes) -> None:
    assert codec.encode(value) == data
    assert codec.decode(data) == value


@pytest.mark.parametrize(("data", "value"), [(b"+5", 5), (b"007", 7), (b"-0", 0)])
def test_whole_numbers_are_read_as_go_reads_them(data: bytes, value: int) -> None:
    assert Int64().decode(data) == value


@pytest.mark.parametrize(
    ("codec", "value"),
    [
        (String(), 7),
        (String(), None),
        (String(), b"bytes"),
        (String(), "\ud800"),
        (Bytes(), "text"),
        (Bytes(), bytearray(b"x")),
        (Int64(), "7"),
        (Int64(), 7.0),
        (Int64(), True),
        (Int64(), 1 << 63),
        (Int64(), -(1 << 63) - 1),
        (Json(), object()),
    ],
    ids=name,
)
def test_a_codec_refuses_to_encode(codec: Any, value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        codec.encode(value)


@pytest.mark.parametrize(
    ("codec", "data"),
    [
        (String(), b"\xff"),
        (Int64(), b""),
        (Int64(), b"-"),
        (Int64(), b"7.0"),
        (Int64(), b" 7"),
        (Int64(), b"7\n"),
        (Int64(), b"1_000"),
        (Int64(), "٣".encode()),
        (Int64(), b"9223372036854775808"),
        (Int64(), b"9" * 5_000),
        (Json(), b""),
        (Json(), b"{"),
        (Json(User), b'{"Clicks":"many"}'),
        (Json(User), b"7"),
        (Json(Point), b"{}"),
        (Json(dict[str, int]), b'{"a":"b"}'),
    ],
    ids=name,
)
def test_a_codec_refuses_to_decode(codec: Any, data: bytes) -> None:
    with pytest.raises((ValueError, msgspec.DecodeError)):
        codec.decode(data)


# A value that is read back is the value that was written, or there was a CodecError.


CODECS = [
    *(String(), Bytes(), Int64(), Json()),
    *map(Json, (int, float, bool, str, bytes, Decimal, datetime, timedelta, UUID, Colour)),
    *map(Json, (User, Loose, Unequal, Point, Place, float | None, Loose | list[Loose])),
    *map(Json, (dict[str, list[int]], dict[int, Any], dict[float, str], set[int], tuple[Any, ...])),
]


@settings(deadline=None, max_examples=500)
@given(st.sampled_from(CODECS), anything)
@example(Json(), (1,)).via("a tuple")
@example(Json(), {1: "a"}).via("a key that is a number")
@example(Json(), [math.nan]).via("no number")
@example(Json(), Colour.RED).via("an enum")
@example(Json(User), {}).via("another class, read as the default")
@example(Json(User), Loose(3)).via("another class, all of whose fields are unknown")
@example(Json(User), User(Colour.RED)).via("a field of another class")
@example(Json(Loose), Loose((1,))).via("a tuple in a field")
@example(Json(Unequal), Unequal(math.inf)).via("no number in a field")
@example(Json(dict[str, list[int]]), {"a": (1,)}).via("a tuple in a list's place")
@example(
    Json(datetime), datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
).via("twice")
def test_a_value_comes_back_as_it_was_or_there_is_a_codec_error(codec: Any, value: Any) -> None:
    tester = Tester(define_group("g", Input("t", Bytes(), print), Persist(codec)))
    if value is None:  # removes the row
        return
    try:
        tester.set_table_value("a", value)
        back = tester.table_value("a")
    except CodecError:
        return
    assert same(value, back)


@pytest.mark.parametrize(
    ("codec", "value"),
    [
        (Json(dict[int, Decimal]), {1: Decimal("1.50")}),
        (Json(set[int]), {1, 2}),
        (Json(tuple[int, str]), (1, "a")),
        (Json(Unequal), Unequal(1.5)),
        (Json(list[Unequal]), [Unequal(1)]),
        (Json(datetime), datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))),
        (Json(Decimal), Decimal("NaN")),
        (Json(), Counter("aab")),
        (Json(), Basket([1 << 70])),
        (Json(Colour), Colour.RED),
        (Json(Loose), Loose({"a": [None, True, 1, 1.0, "x"]})),
    ],
    ids=name,
)
def test_what_a_type_keeps_is_taken(codec: Any, value: Any) -> None:
    assert same(value, codec.decode(codec.encode(value)))


def test_a_class_that_a_cell_defined_again_is_the_same() -> None:
    def cell() -> Any:
        class User(msgspec.Struct):
            clicks: int = 0

        return User

    before, after = cell(), cell()
    codec = Json(before)
    assert codec.decode(codec.encode(after(3))) == before(3)
    assert Json(list[before]).encode([after(3)]) == b'[{"clicks":3}]'
    with pytest.raises(ValueError, match="read back"):
        codec.encode(after("x"))


@pytest.mark.parametrize(
    ("codec", "value", "words"),
    [
        (Json(), math.nan, "nan would be read back as None"),
        (Json(), {"a": [1, (2,)]}, "at ['a'][1] (2,) would be read back as [2]"),
        (Json(Loose), Loose({1}), "at ['what'] {1} would be read back as [1]"),
        (Json(User), Loose(3), "Loose(what=3) would be read back as User(clicks=0)"),
        (
            Json(User),
            User("x"),
            "could not be read back: Expected `int`, got `str` - at `$.Clicks`",
        ),  # type: ignore[arg-type]
    ],
    ids=name,
)
def test_the_error_says_what_cannot_be_kept(codec: Any, value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        codec.encode(value)


@given(st.binary())
def test_any_bytes_of_a_key_survive_as_text(key: bytes) -> None:
    assert encode_key(decode_key(key)) == key


@given(st.text())
def test_a_key_comes_back(key: str) -> None:
    assert decode_key(encode_key(key)) == key


def test_a_missing_key_is_the_empty_one() -> None:
    assert decode_key(None) == decode_key(b"") == ""
    assert encode_key("") == b""


def test_a_key_that_is_not_utf8_is_readable_text() -> None:
    assert decode_key(b"caf\xe9") == "caf\udce9"
