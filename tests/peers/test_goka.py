"""Goka and clicklib over the same topics: each reads what the other wrote and goes on there."""

from __future__ import annotations

from collections import Counter

import pytest

from clicklib import Emitter, Graph, Input, Persist, Processor, View, broker, clicks, define_group
from clicklib.client.groups import Groups
from clicklib.client.logs import Logs
from clicklib.client.topics import TopicManager
from clicklib.codec import Int64, String
from clicklib.errors import CodecError
from tests.kafka.conftest import counts, wait_for_counts
from tests.peers.conftest import clicks_of
from tests.support.long import cases
from tests.waiting import wait_until

# The first build of Goka's program may take a minute or two where make has not made it.
pytestmark = pytest.mark.timeout(300)

# Keys that are easy to get wrong: empty, not ASCII, not UTF-8, longer than a local store's keys,
# and one whose hash is the negative number that has no positive counterpart.
ODD_KEYS = [
    *(
        "",
        " ",
        "a\nb",
        "\0",
        "../up",
        '"',
        "ü",
        "u\u0308",
        "日本",
        "👍",
        "\udcff\udc80",
        "__proto__",
    ),
    *("x" * 511, "x" * 512, "x" * 5_000, "user-gptqret"),
]


@pytest.fixture
def groups(cluster):
    with Groups(cluster) as groups:
        yield groups


def over(graph: Graph) -> tuple[str, ...]:
    """The flags of a Goka processor in the group of `graph`, from its first click on."""
    [topic] = graph.topics
    return ("-topic", topic, "-group", graph.group, "-oldest", "-session", "6s")


def wait_until_counted(groups: Groups, graph: Graph) -> None:
    wait_until(
        "all clicks are counted and committed",
        lambda: groups.describe(graph.group, graph.topics).lag == 0,
    )


def table_of(cluster, graph: Graph) -> dict[str, int]:
    """The table as a view of ours has it."""
    with View(cluster, graph.table, clicks.UserCodec(), storage="memory").start() as view:
        return counts(view.wait_running())


# A table of the one in a view of the other.


def count_or_forget(ctx, msg):
    """What the Goka processor does, too."""
    if msg == "forget":
        ctx.delete()
    else:
        clicks.count(ctx, msg)


def test_goka_reads_our_table_and_its_tombstones(goka, cluster, groups, topic, name, click, state):
    graph = clicks.graph(count_or_forget, name, topic)
    wanted = click(1_000, users=50)
    with Processor(cluster, graph, state_dir=state).start():
        wait_until_counted(groups, graph)
        assert goka.table(graph.table) == wanted
        goka.emit(topic, [("user-3", "forget"), ("user-4", "forget"), ("user-4", "now")])
        wait_until_counted(groups, graph)
    del wanted["user-3"]
    assert goka.table(graph.table) == {**wanted, "user-4": 1}


def test_we_read_goka_s_table_and_its_tombstones(goka, cluster, groups, graph, topic, click, state):
    wanted = click(1_000, users=50)
    goka.start("processor", *over(graph))
    wait_until_counted(groups, graph)
    with View(cluster, graph.table, clicks.UserCodec(), state_dir=state).start() as view:
        view.wait_running()
        assert counts(view) == wanted
        goka.emit(topic, [("user-3", "forget"), ("user-4", "forget"), ("user-4", "now")])
        del wanted["user-3"]
        wait_until("the view follows", lambda: counts(view) == {**wanted, "user-4": 1})
    assert table_of(cluster, graph) == {**wanted, "user-4": 1}
    assert compressions(graph.table) == {"snappy"}


def compressions(topic: str) -> set[str]:
    """How the batches in Kafka's files of a topic are compressed."""
    names = ("none", "gzip", "snappy", "lz4", "zstd")
    [status] = [status for status in broker.status() if status.running]
    found = set()
    for path in status.directory.rglob(f"{topic}-*/*.log"):
        data, start = path.read_bytes(), 0
        while start < len(data):
            found.add(names[data[start + 22] & 7])
            start += 12 + int.from_bytes(data[start + 8 : start + 12])
    return found


def test_a_transactional_table_is_readable_for_goka_once_plain_rows_follow(
    goka, cluster, groups, graph, click, state
):
    """Goka waits for a record at the end of the log, and a transaction's marker is none."""
    wanted = click(1_000, users=100)
    with Processor(cluster, graph, state_dir=state, guarantee="exactly_once").start():
        wait_until_counted(groups, graph)
    wanted += click(100, users=100)  # with so many users each partition has some
    with Processor(cluster, graph, state_dir=state).start():
        wait_until_counted(groups, graph)
    assert goka.table(graph.table) == wanted


# A group of the one, carried on by the other.


def test_each_goes_on_from_the_other_s_table_and_offsets(
    goka, cluster, groups, graph, click, state, tmp_path
):
    wanted = Counter()
    for _ in range(2):  # the second time with local copies that are older than the table
        wanted += click(500, users=50)
        with Processor(cluster, graph, state_dir=state).start() as processor:
            wait_until_counted(groups, graph)
            assert processor.stats().records_in == 500
        assert table_of(cluster, graph) == wanted
        wanted += click(300, users=50)
        running = goka.start(
            "processor", *over(graph), "-storage", tmp_path / "goka", "-count", 300
        )
        assert running.wait()["counted"] == 300
        assert table_of(cluster, graph) == wanted


# Members of both kinds in one group.


def shares(groups: Groups, group: str) -> dict[str, list[int]]:
    """The partitions of each member: a Goka and a clicklib processor at most."""
    found = groups.describe(group)
    if found.state != "Stable":
        return {}
    return {
        "goka" if member.client.startswith("goka") else "clicklib": [
            p for _, p in member.partitions
        ]
        for member in found.members
    }


def wait_for_shares(groups: Groups, graph: Graph, view: View, wanted: dict[str, list[int]]) -> None:
    """Wait until the partitions are shared so, and new clicks of each of 50 users are counted."""
    wait_until(f"the partitions are {wanted}", lambda: shares(groups, graph.group) == wanted)
    before = counts(view)
    wait_until(
        "all partitions go on",
        lambda: len(now := counts(view)) == 50 and all(now[u] > before.get(u, 0) for u in now),
    )


@pytest.fixture
def view(cluster, graph):
    """A running view of the table, which it makes."""
    with TopicManager(cluster) as topics:
        topics.ensure_table(graph.table)
    with View(cluster, graph.table, clicks.UserCodec(), storage="memory").start() as view:
        yield view.wait_running()


@cases("way", ["stop"], ["kill"])
def test_they_share_a_group_and_take_over_from_each_other(
    goka, cluster, groups, graph, topic, view, run, state, tmp_path, way
):
    everything = list(range(10))
    both = {"goka": everything[:5], "clicklib": everything[5:]}  # sorted by the members' ids
    emitter = goka.start("emitter", "-topic", topic, "-users", 50, "-rate", 200)
    theirs = goka.start("processor", *over(graph), "-storage", tmp_path / "goka")
    wait_for_shares(groups, graph, view, {"goka": everything})
    ours = run(
        *("process", "--quiet", "--brokers", str(cluster), "--topic", topic),
        *("--group", graph.group, "--state-dir", str(state)),
    )
    wait_for_shares(groups, graph, view, both)  # Goka was there first
    assert theirs.partitions == both["goka"]
    getattr(theirs, way)()
    wait_for_shares(groups, graph, view, {"clicklib": everything})
    theirs = goka.start("processor", *over(graph), "-storage", tmp_path / "goka")
    wait_for_shares(groups, graph, view, both)  # clicklib was there first
    assert theirs.partitions == both["goka"]
    getattr(ours, way)()
    wait_for_shares(groups, graph, view, {"goka": everything})
    wanted = clicks_of(emitter.stop()["emitted"], users=50)
    if way == "stop":
        wait_for_counts(view, wanted)
    else:
        wait_until("none is lost", lambda: not wanted - Counter(counts(view)))
        wait_until_counted(groups, graph)
        # Repeated is what was not committed; a group that began anew would repeat everything.
        assert sum(counts(view).values()) < 1.5 * sum(wanted.values())


# Keys, and values that do not fit.


def test_both_emitters_choose_the_same_partition(goka, cluster, topic):
    goka.emit(topic, [(key, "Goka's") for key in ODD_KEYS])
    with Emitter(cluster, topic, String()) as emitter:
        ours = {key: emitter.emit_sync(key, "ours", timeout=30)[0] for key in ODD_KEYS}
    with Logs(cluster, topic) as logs:
        theirs = {
            record.key: log.partition
            for log in logs.newest()
            for record in log.records
            if record.value == b"Goka's"
        }
    assert theirs == ours
    assert len(set(ours.values())) > 5


def test_odd_keys_pass_through_both_processors(
    goka, cluster, groups, graph, topic, state, tmp_path
):
    goka.emit(topic, [(key, "now") for key in ODD_KEYS])
    with Processor(cluster, graph, state_dir=state).start():
        wait_until_counted(groups, graph)
    with Emitter(cluster, topic, String()) as emitter:
        for key in ODD_KEYS:
            emitter.emit(key, "now")
    counted = len(ODD_KEYS)
    goka.start("processor", *over(graph), "-storage", tmp_path / "goka", "-count", counted).wait()
    wanted = dict.fromkeys(ODD_KEYS, 2)
    assert table_of(cluster, graph) == wanted
    assert goka.table(graph.table) == wanted


def count_numbers(ctx, msg):
    ctx.set_value((ctx.value() or 0) + msg)


def test_a_message_of_goka_s_that_our_codec_rejects_is_named(goka, cluster, topic, name, state):
    goka.emit(topic, [("user-3", "1"), ("user-3", "a lot"), ("user-3", "1")])
    with Logs(cluster, topic) as logs:
        partition, last = logs.last("user-3")
    graph = define_group(name, Input(topic, Int64(), count_numbers), Persist(Int64()))
    with pytest.raises(CodecError, match="cannot decode b'a lot'") as caught:
        Processor(cluster, graph, state_dir=state).run()
    where = (caught.value.topic, caught.value.partition, caught.value.offset, caught.value.key)
    assert where == (topic, partition, last.offset - 1, "user-3")


def test_a_row_of_goka_s_that_our_codec_rejects_is_named(goka, cluster, graph, topic, state):
    with TopicManager(cluster) as topics:
        topics.ensure_table(graph.table)
    goka.emit(graph.table, [("user-3", '{"Clicks":"many"}')])
    with View(cluster, graph.table, clicks.UserCodec(), storage="memory").start() as view:
        view.wait_running()
        with pytest.raises(CodecError, match="cannot decode") as caught:
            view.get("user-3")
    assert (caught.value.topic, caught.value.key) == (graph.table, "user-3")
    goka.emit(topic, [("user-3", "now")])
    with Logs(cluster, topic) as logs:
        partition, last = logs.last("user-3")
    assert caught.value.partition == partition
    with pytest.raises(CodecError, match="cannot decode") as caught:
        Processor(cluster, graph, state_dir=state).run()
    where = (caught.value.topic, caught.value.partition, caught.value.offset, caught.value.key)
    assert where == (topic, partition, last.offset, "user-3")
