"""A message that cannot be handled stops the processor, stays uncommitted, and comes again."""

from __future__ import annotations

import pytest

from clicklib import Emitter, Input, Persist, Processor, View, define_group
from clicklib.codec import Bytes, Int64, Json, String
from clicklib.errors import CallbackError, CodecError
from tests.waiting import wait_until


def count(ctx, msg):
    ctx.set_value((ctx.value() or 0) + 1)


def refuse(ctx, msg):
    count(ctx, msg)
    if msg == b"bad":
        raise ValueError("I do not like it")


def fail(ctx, msg):
    count(ctx, msg)
    if msg == b"bad":
        ctx.fail("enough")


def swallow(ctx, msg):
    try:
        ctx.set_value("no number" if msg == b"bad" else (ctx.value() or 0) + 1)
    except Exception:
        return


def leave(ctx, msg):
    count(ctx, msg)
    if msg == b"bad":
        raise SystemExit


class Picky:
    """A codec that refuses one message."""

    def encode(self, value: bytes, /) -> bytes:
        return value

    def decode(self, data: bytes, /) -> bytes:
        if data == b"bad":
            raise ValueError("not what I expected")
        return data


@pytest.mark.parametrize(
    ("callback", "codec", "error", "text"),
    [
        (count, Picky(), CodecError, "cannot decode b'bad': not what I expected"),
        (refuse, Bytes(), CallbackError, "I do not like it"),
        (fail, Bytes(), CallbackError, "enough"),
        (swallow, Bytes(), CodecError, "cannot encode 'no number'"),
        (leave, Bytes(), CallbackError, "SystemExit"),
    ],
    ids=["codec", "raises", "fails", "swallows", "exits"],
)
def test_it_stops_there_and_goes_on_there_once_repaired(
    cluster, topic, name, state, callback, codec, error, text
):
    with Emitter(cluster, topic, Bytes()) as emitter:
        for msg in (b"good", b"good", b"bad", b"good"):
            partition, offset = emitter.emit_sync("user-3", msg)
        emitter.emit_sync("user-4", b"good")
    wrong = define_group(name, Input(topic, codec, callback), Persist(Int64()))
    for _ in range(2):
        processor = Processor(cluster, wrong, state_dir=state)
        with pytest.raises(error, match=text) as caught:
            processor.run()
        where = (caught.value.topic, caught.value.partition, caught.value.offset, caught.value.key)
        assert where == (topic, partition, offset - 1, "user-3")
        assert processor.state == "failed"
        assert processor.error is caught.value

    seen = []

    def repaired(ctx, msg):
        seen.append((ctx.key, ctx.offset))
        count(ctx, msg)

    graph = define_group(name, Input(topic, Bytes(), repaired), Persist(Int64()))
    with (
        Processor(cluster, graph, state_dir=state).start().wait_running() as processor,
        View(cluster, graph.table, Int64(), storage="memory").start().wait_running() as view,
    ):
        wait_until("all are counted", lambda: dict(view.items()) == {"user-3": 4, "user-4": 1})
    # The two before it were committed, and it was not.
    assert [offset for key, offset in seen if key == "user-3"] == [offset - 1, offset]


def test_the_wrong_table_codec_stops_it_and_leaves_the_table_as_it_was(cluster, topic, name, state):
    right = define_group(name, Input(topic, String(), count), Persist(Int64()))
    wrong = define_group(name, Input(topic, String(), count), Persist(Json(dict)))
    with Emitter(cluster, topic, String()) as emitter:
        emitter.emit_sync("user-3", "now")
        with Processor(cluster, right, state_dir=state).start() as processor:
            wait_until("it is counted", lambda: processor.stats().rows_out == 1)
        emitter.emit_sync("user-3", "now")
    with pytest.raises(CodecError, match="the table's codec cannot decode b'1'"):
        Processor(cluster, wrong, state_dir=state).run()
    with (
        Processor(cluster, right, state_dir=state).start().wait_running(),
        View(cluster, right.table, Int64(), storage="memory").start().wait_running() as view,
    ):
        wait_until("both are counted", lambda: view.get("user-3") == 2)


def test_one_processor_fails_and_the_rest_of_the_program_goes_on(cluster, topic, name, state):
    bad = define_group(f"{name}-bad", Input(topic, Bytes(), refuse), Persist(Int64()))
    good = define_group(f"{name}-good", Input(topic, Bytes(), count), Persist(Int64()))
    with (
        Processor(cluster, bad, state_dir=state).start().wait_running() as failing,
        Processor(cluster, good, state_dir=state).start().wait_running() as working,
        Emitter(cluster, topic, Bytes()) as emitter,
    ):
        emitter.emit_sync("user-3", b"bad")
        with pytest.raises(CallbackError):
            failing.wait(20)
        emitter.emit_sync("user-3", b"good")
        wait_until("the other counts on", lambda: working.get("user-3") == 2)
        assert working.error is None


def test_a_row_too_large_for_kafka_stops_it_with_its_key(cluster, topic, name):
    from clicklib.errors import DeliveryError

    def grow(ctx, msg):
        ctx.set_value(bytes(2 << 20))

    graph = define_group(name, Input(topic, String(), grow), Persist(Bytes()))
    with Emitter(cluster, topic, String()) as emitter:
        emitter.emit_sync("user-3", "now")
    with pytest.raises(DeliveryError, match=f"{graph.table}.*user-3"):
        Processor(cluster, graph, storage="memory").run()
