"""The tester counts as the processor does, and forgets a message that failed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clicklib import Graph, Input, Persist, define_group
from clicklib.clicks import User, UserCodec
from clicklib.codec import Int64, Json, String
from clicklib.context import Context
from clicklib.errors import CallbackError, CodecError, UsageError
from clicklib.tester import Tester


def count(ctx: Context, msg: str) -> None:
    if msg == "fail":
        ctx.set_value(1_000)
        ctx.fail("asked to")
    ctx.set_value((ctx.value() or 0) + 1)


def graph() -> Graph:
    return define_group(
        "g", Input("clicks", String(), count), Input("likes", Json(), count), Persist(Int64())
    )


@pytest.fixture
def tester() -> Tester:
    return Tester(graph())


def test_the_clicks_example_counts() -> None:
    from clicklib import clicks

    tester = Tester(clicks.graph(clicks.count))
    tester.consume(clicks.TOPIC, "user-3", "now", times=3)
    assert tester.table_value("user-3") == User(clicks=3)
    assert UserCodec().encode(tester.table_value("user-3")) == b'{"Clicks":3}'


@given(
    st.lists(st.tuples(st.sampled_from(["clicks", "likes"]), st.text(max_size=3))),
    st.integers(1, 12),
)
def test_the_table_is_the_count_of_the_keys(
    messages: list[tuple[str, str]], partitions: int
) -> None:
    tester = Tester(graph(), partitions)
    for topic, key in messages:
        tester.consume(topic, key, "now")
    assert tester.table() == Counter(key for _, key in messages)


def test_a_key_that_is_not_there_has_no_value(tester: Tester) -> None:
    assert tester.table_value("nobody") is None
    assert tester.table() == {}


def test_the_table_is_sorted_by_key(tester: Tester) -> None:
    for key in ("b", "", "c", "a", "caf\udce9"):
        tester.consume("clicks", key, "now")
    assert list(tester.table()) == ["", "a", "b", "c", "caf\udce9"]


def test_messages_pass_through_their_codec(tester: Tester) -> None:
    with pytest.raises(CodecError, match="cannot encode 7") as raised:
        tester.consume("clicks", "a", 7)
    assert (raised.value.topic, raised.value.key) == ("clicks", "a")


def test_bytes_are_decoded_as_another_program_wrote_them(tester: Tester) -> None:
    tester.consume_bytes("likes", "a", b'"now"')
    with pytest.raises(CodecError, match="cannot decode"):
        tester.consume_bytes("likes", "a", b"{")
    assert tester.table() == {"a": 1}


@pytest.mark.parametrize("topic", ["others", "g-table"])
def test_a_topic_that_the_graph_does_not_read_is_refused(tester: Tester, topic: str) -> None:
    with pytest.raises(UsageError, match="reads clicks, likes"):
        tester.consume(topic, "a", "now")


def test_a_tombstone_is_skipped(tester: Tester) -> None:
    tester.consume("clicks", "a", None)
    assert tester.table() == {}


def test_a_message_in_error_changes_nothing_and_the_next_one_is_handled(tester: Tester) -> None:
    tester.consume("clicks", "a", "now")
    with pytest.raises(CallbackError, match="asked to") as raised:
        tester.consume("clicks", "a", "fail")
    assert raised.value.offset == 1
    assert tester.table_value("a") == 1
    tester.consume("clicks", "a", "now")
    assert tester.table() == {"a": 2}


def test_values_can_be_given_before_the_test_and_removed(tester: Tester) -> None:
    tester.set_table_value("a", 41)
    tester.set_table_value("b", 7)
    tester.set_table_value("b", None)
    tester.consume("clicks", "a", "now")
    assert tester.table() == {"a": 42}


def test_offsets_count_for_each_topic_and_partition() -> None:
    seen: list[Any] = []
    edges = [
        Input(topic, String(), lambda ctx, msg: seen.append((ctx.topic, ctx.partition, ctx.offset)))
        for topic in ("clicks", "likes")
    ]
    tester = Tester(define_group("g", *edges, Persist(Int64())))
    for topic, key in [("clicks", "a"), ("clicks", "key1"), ("likes", "a"), ("clicks", "a")]:
        tester.consume(topic, key, "now")
    assert seen == [("clicks", 6, 0), ("clicks", 3, 0), ("likes", 6, 0), ("clicks", 6, 1)]


def test_two_testers_share_nothing() -> None:
    one, other = Tester(graph()), Tester(graph())
    one.consume("clicks", "a", "now")
    assert other.table() == {}


@pytest.mark.parametrize("partitions", [0, -1])
def test_a_topic_has_at_least_one_partition(partitions: int) -> None:
    with pytest.raises(UsageError):
        Tester(graph(), partitions)


class Point(msgspec.Struct):
    x: int


class AnyToPoint:
    """A codec that writes anything as JSON and reads it as a Point."""

    encode, decode = staticmethod(msgspec.json.encode), msgspec.json.Decoder(Point).decode


def test_a_struct_in_the_table_is_checked_while_decoding() -> None:
    def callback(ctx: Context, msg: str) -> None:
        ctx.set_value({"x": msg})
        ctx.value()

    graph = define_group("g", Input("clicks", String(), callback), Persist(AnyToPoint()))
    with pytest.raises(CodecError, match="cannot decode"):
        Tester(graph).consume("clicks", "a", "no number")


def test_what_a_type_could_not_read_is_not_written() -> None:
    def callback(ctx: Context, msg: str) -> None:
        ctx.set_value({"x": msg})

    graph = define_group("g", Input("clicks", String(), callback), Persist(Json(Point)))
    with pytest.raises(CodecError, match=r"cannot encode .*read back: Expected `int`, got `str`"):
        Tester(graph).consume("clicks", "a", "no number")


class Text:
    """A codec that returns text where bytes are due, as json.dumps does."""

    def encode(self, value: Any) -> Any:
        return str(value)

    def decode(self, data: Any) -> str:
        return str(data)


def test_a_codec_that_returns_text_is_refused_as_kafka_would_have_it() -> None:
    def keep(ctx: Context, msg: Any) -> None:
        ctx.set_value(msg)

    words = "encode returned str, not bytes"
    of_the_input = Tester(define_group("g", Input("clicks", Text(), keep), Persist(Int64())))
    with pytest.raises(CodecError, match=f"codec of the input cannot encode 7: {words}"):
        of_the_input.consume("clicks", "a", 7)
    of_the_table = Tester(define_group("g", Input("clicks", Int64(), keep), Persist(Text())))
    with pytest.raises(CodecError, match=f"table's codec cannot encode 7: {words}"):
        of_the_table.consume("clicks", "a", 7)
    with pytest.raises(CodecError, match=f"table's codec cannot encode 7: {words}"):
        of_the_table.set_table_value("a", 7)


def test_a_value_that_cannot_be_read_back_says_where_it_stands() -> None:
    def keep(ctx: Context, msg: str) -> None:
        ctx.set_value({"x": msg})

    tester = Tester(define_group("g", Input("clicks", String(), keep), Persist(AnyToPoint())))
    tester.consume("clicks", "a", "no number")
    for look in (tester.table, lambda: tester.table_value("a")):
        with pytest.raises(CodecError, match="table's codec cannot decode") as raised:
            look()
        where = raised.value
        assert (where.topic, where.partition, where.key) == ("g-table", 6, "a")
