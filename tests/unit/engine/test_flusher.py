"""What a flusher sends and when, what it calls safe, and what it does about errors."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from clicklib.client.answers import Answers
from clicklib.client.limit import time_left
from clicklib.client.offsets import TopicPartition
from clicklib.engine import flusher
from clicklib.engine.flusher import Flusher, TransactionalFlusher
from clicklib.errors import DeliveryError, UnavailableError
from clicklib.task import Batch
from tests.support.owner import Owner
from tests.waiting import wait_until


class TooLarge(Exception):
    """What the writer refuses for good."""


class Late(Exception):
    """What a row that waited too long fails with."""


class FakeWriter:
    """Takes rows as the producer does; what `refused`, `lost` and `broken` name goes wrong."""

    REFUSED = (TooLarge,)
    IN_DOUBT = (Late,)
    transaction_timeout = 10.0

    def __init__(self, log: list[tuple]) -> None:
        self.log = log  # the steps of transactions, in order
        self.sent: list[tuple] = []
        self.refused: dict[bytes, Exception] = {}
        self.lost: set[bytes] = set()
        self.late: set[bytes] = set()
        self.broken: str | None = None
        self.answers, self.commits = threading.Event(), threading.Event()
        self.answers.set()
        self.commits.set()
        self.flushing, self.committing = threading.Event(), threading.Event()
        self.closed: list[float] = []
        self.open = False

    def send_rows(self, place: int, rows: Iterable[tuple[bytes, bytes | None]]) -> Answers:
        rows = list(rows)
        answers = Answers([key for key, _ in rows])
        for number, (key, value) in enumerate(rows):
            if key in self.refused:
                answers.put(number, [self.refused[key]])
                continue
            self.log.append(("send", place, key))
            self.sent.append((place, key, value))
            error = OSError("gone") if key in self.lost else Late() if key in self.late else None
            answers.put(number, [error or len(self.sent) + 9])
        return answers

    def flush(self, timeout: float) -> bool:
        self.flushing.set()
        self._step("flush")
        return self.answers.wait(0.01)

    def begin(self, partitions: Iterable[int]) -> None:
        assert not self.open, "a transaction is open already"
        self._step("begin", *sorted(partitions))
        self.open = True

    def add_offsets(self, offsets: Mapping[TopicPartition, int], group_metadata: Any) -> None:
        self._step("offsets", dict(offsets), group_metadata)

    def commit(self) -> None:
        self.committing.set()
        self.commits.wait(5)
        self._step("commit")
        self.open = False

    def close(self, timeout: float) -> None:
        self.closed.append(timeout)

    def _step(self, step: str, *details: Any) -> None:
        if step == self.broken:
            raise OSError(f"broken {step}")
        self.log.append((step, *details))


class FakeWorker:
    def __init__(self, position: int) -> None:
        self.task = SimpleNamespace(store=SimpleNamespace(position=position))
        self.abandoned = False
        self.told = threading.Event()

    def abandon(self) -> None:
        self.abandoned = True
        self.told.set()


class FlusherBench:
    """A flusher whose sends and reports are kept for the test to look at."""

    group_metadata = "member 7"

    def __init__(self, kind: type[Flusher] = Flusher) -> None:
        self.log: list[tuple] = []
        self.writer = FakeWriter(self.log)
        self.reported: queue.Queue[tuple[Any, Batch, int | None, bool]] = queue.Queue()
        self.doubts: queue.Queue[BaseException] = queue.Queue()
        self.owner = Owner()
        self.fails: dict[str, Exception] = {}
        self.flusher = kind(self.owner, self.writer, "g-table", self, self.claim)  # type: ignore[arg-type]

    def claim(self, partitions: set[int]) -> None:
        assert time_left() > 0
        self._note("claim", sorted(partitions))

    def confirm(self) -> None:
        self._note("confirm")

    def _note(self, step: str, *details: Any) -> None:
        self.log.append((step, *details))
        if step in self.fails:
            raise self.fails[step]

    def note_safe(self, worker: Any, batch: Batch, position: int | None, committed: bool) -> None:
        self.log.append(("safe", batch.partition))
        self.reported.put((worker, batch, position, committed))

    def start_over_because(self, error: BaseException) -> None:
        self.doubts.put(error)

    def submit(
        self,
        rows: dict[bytes, bytes | None],
        partition: int = 3,
        offset: int = 1,
        position: int = 10,
    ) -> Any:
        worker = FakeWorker(position)
        batch = Batch(partition, rows, {"clicks": offset})
        self.flusher.submit(worker, batch)  # type: ignore[arg-type]
        return worker

    def error(self) -> BaseException:
        wait_until("the owner failed", lambda: self.owner.errors, every=0.001)
        (error,) = self.owner.errors
        return error

    def ended(self) -> bool:
        self.flusher.join(5)
        return not self.flusher.is_alive()

    def close(self) -> None:
        self.flusher.close(0.25)
        assert self.ended()
        assert self.writer.closed[-1] == 0.25


@pytest.fixture
def flushing() -> Iterator[FlusherBench]:
    bench = FlusherBench()
    bench.flusher.start()
    yield bench
    bench.close()


@pytest.fixture
def transacting(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlusherBench]:
    """Not started, so that a test can put several batches into one round."""
    monkeypatch.setattr(flusher, "_WINDOW", 0.01)
    bench = FlusherBench(TransactionalFlusher)
    yield bench
    bench.close()


# At least once.


def test_its_thread_is_named_after_its_owner(flushing: FlusherBench) -> None:
    assert (flushing.flusher.name, flushing.flusher.owner) == ("bench flusher", flushing.owner)


def test_rows_are_sent_to_the_partition_of_their_batch_and_reported_with_the_next_offset(
    flushing: FlusherBench,
) -> None:
    worker = flushing.submit({b"a": b"1", b"b": None})
    reported, batch, position, committed = flushing.reported.get(timeout=5)
    assert (reported, batch.partition, position, committed) == (worker, 3, 12, False)
    assert flushing.writer.sent == [(3, b"a", b"1"), (3, b"b", None)]


@pytest.mark.parametrize(
    ("kind", "position"), [(Flusher, 7), (TransactionalFlusher, 12)], ids=["at least", "exactly"]
)
def test_only_exactly_once_a_store_reaches_beyond_offsets_that_it_did_not_see(
    kind: type[Flusher], position: int
) -> None:
    bench = FlusherBench(kind)
    bench.flusher.start()
    bench.submit({b"a": b"1", b"b": b"2"}, position=7)  # they get 10 and 11
    assert bench.reported.get(timeout=5)[2] == position
    bench.close()


def test_a_batch_without_rows_is_safe_with_no_position(flushing: FlusherBench) -> None:
    flushing.submit({})
    assert flushing.reported.get(timeout=5)[2] is None


def test_nothing_is_safe_before_kafka_has_answered(flushing: FlusherBench) -> None:
    flushing.writer.answers.clear()
    flushing.submit({b"a": b"1"})
    assert flushing.writer.flushing.wait(5)
    assert flushing.reported.empty()
    flushing.writer.answers.set()
    assert flushing.reported.get(timeout=5)[2] == 11


@pytest.mark.parametrize(("wrong", "words"), [("lost", "gone"), ("refused", "too large")])
def test_a_row_that_kafka_did_not_take_fails_its_batch_and_no_other(
    flushing: FlusherBench, wrong: str, words: str
) -> None:
    if wrong == "lost":
        flushing.writer.lost.add(b"bad")
    else:
        flushing.writer.refused[b"bad"] = ValueError("too large")
    failed = flushing.submit({b"a": b"1", b"bad": b"2", b"c": b"3"}, partition=4)
    good = flushing.submit({b"a": b"1"}, partition=5)
    assert flushing.reported.get(timeout=5)[0] is good
    error = flushing.error()
    assert isinstance(error, DeliveryError)
    assert (error.topic, error.partition, error.key) == ("g-table", 4, "bad")
    assert error.__cause__ is not None
    assert words in str(error)
    assert failed.told.wait(5)
    assert not good.told.is_set()
    assert flushing.reported.empty()


def test_rows_that_are_late_are_in_doubt_and_it_sends_nothing_more(flushing: FlusherBench) -> None:
    flushing.writer.late.add(b"b")
    worker = flushing.submit({b"a": b"1", b"b": b"2"})
    doubt = flushing.doubts.get(timeout=5)
    assert isinstance(doubt, DeliveryError)
    assert (doubt.partition, doubt.key) == (3, "b")
    assert flushing.ended()
    assert worker.told.is_set()
    assert (flushing.reported.empty(), flushing.owner.errors) == (True, [])


def test_what_fails_because_it_was_closed_fails_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = FlusherBench()
    bench.writer.lost.add(b"a")
    flush = bench.writer.flush

    def close_meanwhile(timeout: float) -> bool:
        bench.flusher.close(0.25)
        return flush(timeout)

    monkeypatch.setattr(bench.writer, "flush", close_meanwhile)
    bench.submit({b"a": b"1"})
    bench.flusher.start()
    bench.close()
    assert (bench.reported.empty(), bench.owner.errors) == (True, [])


def test_any_other_error_fails_the_owner_and_leaves_no_worker_waiting(
    flushing: FlusherBench,
) -> None:
    flushing.writer.broken = "flush"
    worker = flushing.submit({b"a": b"1"})
    assert isinstance(flushing.error(), OSError)
    assert worker.told.wait(5)
    assert flushing.reported.empty()


@pytest.mark.parametrize("kind", [Flusher, TransactionalFlusher])
def test_it_ends_at_once_and_gives_up_what_is_not_answered(kind: type[Flusher]) -> None:
    bench = FlusherBench(kind)
    bench.flusher.start()
    bench.writer.answers.clear()
    bench.submit({b"a": b"1"})
    assert bench.writer.flushing.wait(5)
    bench.flusher.close(0.5)
    assert bench.ended()
    assert bench.reported.empty()
    assert bench.writer.closed == [0.5]
    assert ("commit",) not in bench.log
    assert bench.doubts.empty()


@pytest.mark.parametrize("kind", [Flusher, TransactionalFlusher])
def test_it_can_be_closed_again_and_sends_nothing_more(kind: type[Flusher]) -> None:
    bench = FlusherBench(kind)
    bench.flusher.start()
    for _ in range(2):
        bench.close()
    bench.submit({b"a": b"1"})
    assert (bench.writer.closed, bench.writer.sent, bench.owner.errors) == ([0.25, 0.25], [], [])


@pytest.mark.parametrize("kind", [Flusher, TransactionalFlusher])
def test_the_rows_of_an_abandoned_worker_are_not_sent(kind: type[Flusher]) -> None:
    bench = FlusherBench(kind)
    bench.submit({b"a": b"old"}, partition=4).abandoned = True
    mine = bench.submit({b"a": b"new"}, partition=5)
    bench.flusher.start()
    assert bench.reported.get(timeout=5)[0] is mine
    assert bench.writer.sent == [(5, b"a", b"new")]
    assert bench.reported.empty()
    offsets = [details[0] for step, *details in bench.log if step == "offsets"]
    assert offsets == ([] if kind is Flusher else [{TopicPartition("clicks", 5): 1}])
    bench.close()


def test_partitions_are_claimed_and_the_member_confirmed_before_their_first_row() -> None:
    bench = FlusherBench()
    bench.flusher.claim({3, 4})
    bench.submit({b"a": b"1"}, partition=3)
    bench.flusher.claim({5})
    bench.flusher.start()
    bench.reported.get(timeout=5)
    assert bench.log[:3] == [("claim", [3, 4, 5]), ("confirm",), ("send", 3, b"a")]
    bench.submit({b"b": b"2"}, partition=5)
    bench.reported.get(timeout=5)
    assert [step for step, *_ in bench.log].count("claim") == 1
    bench.close()


@pytest.mark.parametrize("step", ["claim", "confirm"])
def test_without_a_claim_or_a_confirmed_member_nothing_is_sent(step: str) -> None:
    bench = FlusherBench()
    error = bench.fails[step] = UnavailableError("no answer")
    bench.flusher.claim({3})
    worker = bench.submit({b"a": b"1"}, partition=3)
    bench.flusher.start()
    assert bench.doubts.get(timeout=5) is error
    assert bench.ended()
    assert worker.told.is_set()
    assert (bench.writer.sent, bench.owner.errors) == ([], [])


# Exactly once: rows and offsets in one transaction.


def test_a_round_is_one_transaction_and_safe_after_its_commit(transacting: FlusherBench) -> None:
    first = transacting.submit({b"a": b"1", b"b": None}, partition=4, offset=7)
    second = transacting.submit({}, partition=5, offset=8)
    third = transacting.submit({b"c": b"3"}, partition=6, offset=9)
    transacting.flusher.start()
    reports = [transacting.reported.get(timeout=5) for _ in range(3)]
    offsets = {
        TopicPartition("clicks", 4): 7,
        TopicPartition("clicks", 5): 8,
        TopicPartition("clicks", 6): 9,
    }
    assert transacting.log == [
        ("begin", 4, 6),
        ("send", 4, b"a"),
        ("send", 4, b"b"),
        ("send", 6, b"c"),
        ("offsets", offsets, "member 7"),
        ("flush",),
        ("commit",),
        ("safe", 4),
        ("safe", 5),
        ("safe", 6),
    ]
    assert [(worker, position, committed) for worker, _, position, committed in reports] == [
        (first, 12, True),
        (second, None, True),
        (third, 13, True),
    ]


def test_nothing_is_safe_before_the_commit(transacting: FlusherBench) -> None:
    transacting.writer.commits.clear()
    transacting.flusher.start()
    transacting.submit({b"a": b"1"})
    assert transacting.writer.committing.wait(5)
    assert transacting.reported.empty()
    transacting.writer.commits.set()
    assert transacting.reported.get(timeout=5)[2:] == (11, True)


def test_it_commits_only_what_kafka_has_answered(transacting: FlusherBench) -> None:
    transacting.writer.answers.clear()
    transacting.flusher.start()
    transacting.submit({b"a": b"1"})
    wait_until("it waits", lambda: transacting.log.count(("flush",)) > 2, every=0.001)
    assert not transacting.writer.committing.is_set()
    transacting.writer.answers.set()
    assert transacting.reported.get(timeout=5)[2] == 11


def test_what_comes_within_the_window_of_a_transaction_shares_the_next(
    transacting: FlusherBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flusher, "_WINDOW", 0.4)
    transacting.flusher.start()
    begun = time.monotonic()
    for partition in (4, 5, 6):
        transacting.submit({b"a": b"1"}, partition)
        if partition == 4:  # goes at once
            transacting.reported.get(timeout=5)
        else:
            time.sleep(0.02)
    assert {transacting.reported.get(timeout=5)[1].partition for _ in range(2)} == {5, 6}
    assert time.monotonic() - begun >= 0.4
    assert [step[0] for step in transacting.log].count("begin") == 2


def test_a_batch_of_the_membership_before_is_not_sent(
    transacting: FlusherBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its partition may be another's by now, and the new group_metadata would vouch for it."""
    lost, kept = transacting.submit({b"a": b"1"}, 4), transacting.submit({b"b": b"2"}, 5)

    def rebalance(bench: FlusherBench) -> str:
        lost.abandon()
        return "member 8"

    monkeypatch.setattr(FlusherBench, "group_metadata", property(rebalance))
    transacting.flusher.start()
    assert transacting.reported.get(timeout=5)[0] is kept
    assert [entry for entry in transacting.log if entry[0] == "send"] == [("send", 5, b"b")]


def test_of_abandoned_workers_alone_there_is_no_transaction(transacting: FlusherBench) -> None:
    transacting.submit({b"a": b"1"}).abandoned = True
    transacting.flusher.start()
    wait_until("it was looked at", transacting.flusher._queue.empty, every=0.001)
    transacting.close()
    assert (transacting.log, transacting.doubts.empty(), transacting.owner.errors) == ([], True, [])


@pytest.mark.parametrize("wrong", ["begin", "offsets", "flush", "commit", "lost", "not sent"])
def test_after_any_error_all_is_in_doubt_and_nothing_more_is_sent(
    transacting: FlusherBench, wrong: str
) -> None:
    writer = transacting.writer
    if wrong == "lost":
        writer.lost.add(b"a")
    elif wrong == "not sent":
        writer.refused[b"a"] = OSError("no metadata")
    else:
        writer.broken = wrong
    workers = [transacting.submit({key: b"1"}, place) for key, place in ((b"a", 4), (b"b", 5))]
    transacting.flusher.start()
    error = transacting.doubts.get(timeout=5)
    assert isinstance(error, OSError) or isinstance(error.__cause__, OSError)
    writer.broken = None
    writer.lost, writer.refused = set(), {}
    before = list(transacting.log)
    transacting.submit({b"c": b"3"})
    assert transacting.ended()
    assert transacting.log == before
    assert ("commit",) not in before
    assert (transacting.reported.empty(), transacting.doubts.empty()) == (True, True)
    assert transacting.owner.errors == []
    # Nothing will answer them: without it, a rebalance would wait for them.
    assert [worker.abandoned for worker in workers] == [True, True]


def test_a_row_that_no_retry_would_help_fails_the_owner(transacting: FlusherBench) -> None:
    transacting.writer.refused[b"bad"] = TooLarge("9 MB")
    workers = [
        transacting.submit({b"a": b"1"}, partition=4),
        transacting.submit({b"b": b"1", b"bad": b"2", b"c": b"3"}, partition=5),
    ]
    transacting.flusher.start()
    for worker in workers:
        assert worker.told.wait(5)
    error = transacting.error()
    assert isinstance(error, DeliveryError)
    assert (error.topic, error.partition, error.key) == ("g-table", 5, "bad")
    assert isinstance(error.__cause__, TooLarge)
    assert (transacting.doubts.empty(), transacting.reported.empty()) == (True, True)
    # What was sent of that transaction is never committed, whatever else is handed over.
    before = list(transacting.log)
    late = transacting.submit({b"d": b"4"}, partition=6)
    assert late.told.wait(5)
    transacting.close()
    assert transacting.log == before
    assert ("commit",) not in before
    assert transacting.reported.empty()
