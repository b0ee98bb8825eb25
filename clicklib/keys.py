"""Keys: as text and as bytes, and the partition that a key belongs to.

The partitioner and the share of a member are Goka's rules, so that Goka and clicklib programs can
share topics and groups.
"""

from __future__ import annotations

from functools import lru_cache

from clicklib.given import check

__all__ = ["decode_key", "encode_key", "fnv1a", "hashed", "partition_of", "share"]


def encode_key(key: str, topic: str | None = None) -> bytes:
    """The key as UTF-8. Bytes that `decode_key` could not read as UTF-8 come back unchanged.

    Raises UsageError, which names `topic`, for a key that is no text or that UTF-8 cannot carry.
    """
    try:
        return str.encode(key, "utf-8", "surrogateescape")
    except (TypeError, UnicodeEncodeError):
        check({"topic": topic}, key=key)
        raise


def decode_key(key: bytes | None) -> str:
    """The text of a record's key. A missing key gives the empty text, as in Goka."""
    return key.decode("utf-8", "surrogateescape") if key else ""


def fnv1a(data: bytes) -> int:
    """The 32-bit FNV-1a hash of `data`."""
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of `key` in a topic with `partitions` partitions.

    It is abs(hash as a signed 32-bit number) % `partitions`.
    """
    try:
        return _partition_of(key, partitions)
    except TypeError:  # a key that the cache cannot keep, such as a list
        check(key__bytes=key, partitions=partitions)
        raise


# `typed`: `partitions=True` is an error, and must not get the cached answer for 1.
@lru_cache(maxsize=1 << 17, typed=True)
def _partition_of(key: bytes, partitions: int) -> int:
    """`partition_of` with a cache: the hash costs one Python step for each byte."""
    check(key__bytes=key, partitions=partitions)
    return _number(key) % partitions


@lru_cache(maxsize=1 << 17)
def hashed(key: str) -> tuple[bytes, int]:
    """The key's bytes and its number, with a cache: abs(hash as a signed 32-bit number).

    The partition is number % partitions. `Emitter` computes it itself, at two places: a call for
    each message would cost too much.

    Raises TypeError or UnicodeEncodeError for a key that `encode_key` refuses.
    """
    raw = str.encode(key, "utf-8", "surrogateescape")
    return raw, _number(raw)


def _number(key: bytes) -> int:
    value = fnv1a(key)
    return value if value < 0x80000000 else 0x1_0000_0000 - value


def share(member: int, members: int, partitions: int) -> range:
    """Goka's `copartition`: the partitions of member number `member`, from 0, sorted by id."""
    step = partitions / members
    return range(int(member * step + 0.5), int((member + 1) * step + 0.5))
