"""Goka's partitioner and the shares of its assignor, against vectors of Goka and of FNV."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clicklib.errors import UsageError
from clicklib.keys import encode_key, fnv1a, hashed, partition_of, share


@pytest.mark.parametrize(
    ("data", "value"),
    [(b"", 0x811C9DC5), (b"a", 0xE40C292C), (b"b", 0xE70C2DE5), (b"foobar", 0xBF9CF968)],
)
def test_the_hash_is_fnv1a_of_32_bits(data: bytes, value: int) -> None:
    assert fnv1a(data) == value


@pytest.mark.parametrize(
    ("key", "partition"),
    [
        *[("", 5), ("a", 6), ("key1", 3), ("key2", 2), ("0", 3), ("02", 3), ("some-key", 7)],
        ("user-gptqret", 8),  # its hash is the negative number without a positive counterpart
    ],
)
def test_keys_go_to_the_partitions_that_goka_sends_them_to(key: str, partition: int) -> None:
    assert partition_of(key.encode(), 10) == partition


@given(st.binary(), st.integers(1, 1_000))
def test_a_partition_is_the_absolute_value_of_the_signed_hash(key: bytes, count: int) -> None:
    signed = int.from_bytes(fnv1a(key).to_bytes(4, "big"), "big", signed=True)
    assert partition_of(key, count) == abs(signed) % count


@given(st.text(st.characters(exclude_categories=[])), st.integers(1, 1_000))
def test_an_emitter_sends_a_key_where_the_partitioner_says(key: str, count: int) -> None:
    try:
        raw = encode_key(key)
    except UsageError:
        with pytest.raises(UnicodeEncodeError):
            hashed(key)
    else:
        same, number = hashed(key)
        assert (same, number % count) == (raw, partition_of(raw, count))


def test_with_one_partition_there_is_no_choice() -> None:
    assert {partition_of(b"user-%d" % i, 1) for i in range(100)} == {0}


@pytest.mark.parametrize(
    ("partitions", "shares"),
    [
        (10, [(0, 10)]),
        (10, [(0, 5), (5, 10)]),
        (10, [(0, 3), (3, 7), (7, 10)]),
        (10, [(0, 3), (3, 5), (5, 8), (8, 10)]),
        (20, [(0, 10), (10, 20)]),
        (3, [(0, 1), (1, 2), (2, 2), (2, 3)]),
        (1, [(0, 1), (1, 1)]),
        (0, [(0, 0), (0, 0)]),
    ],
)
def test_members_get_the_shares_that_goka_gives_them(
    partitions: int, shares: list[tuple[int, int]]
) -> None:
    given_out = [share(i, len(shares), partitions) for i in range(len(shares))]
    assert given_out == [range(begin, end) for begin, end in shares]


@given(st.integers(1, 300), st.integers(0, 3_000))
def test_shares_cover_each_partition_once_and_differ_by_one_at_most(
    members: int, partitions: int
) -> None:
    shares = [share(i, members, partitions) for i in range(members)]
    assert [p for part in shares for p in part] == list(range(partitions))
    sizes = {len(part) for part in shares}
    assert max(sizes) - min(sizes) <= 1
