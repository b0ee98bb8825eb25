"""A store is a map with a position: kept whole, found again, or dropped, never half right."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clicklib.errors import StoreError, UsageError
from clicklib.stores import lmdb as storage
from clicklib.stores.lmdb import LmdbStorage
from clicklib.stores.memory import MemoryStorage
from clicklib.table import Storage

LONGEST = 511  # bytes of a key in LMDB
KEYS = [
    "",
    "a",
    "user-3",
    "\0",
    "\udcff\udc80",
    "ä",
    "k" * LONGEST,
    "k" * (LONGEST + 1),
    "k" * 5_000,
]

raw_keys = st.one_of(
    st.sampled_from([key.encode("utf-8", "surrogateescape") for key in KEYS]),
    st.binary(max_size=4),
    st.binary(max_size=2).map(lambda end: b"p" * LONGEST + end),
)
values = st.one_of(st.none(), st.just(b""), st.binary(max_size=20), st.just(b"x" * 70_000))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.dictionaries(raw_keys, values, max_size=8)),
        st.tuples(st.just("evict"), raw_keys),
        st.tuples(st.just("clear"), st.none()),
        st.tuples(st.just("reopen"), st.none()),
    ),
    max_size=12,
)


@pytest.fixture(params=["memory", "lmdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    store = MemoryStorage() if request.param == "memory" else LmdbStorage(tmp_path / "s", "topic 0")
    yield store
    store.close()


def check(store: Storage, rows: dict[bytes, bytes], position: int | None) -> None:
    assert list(store.items()) == sorted(rows.items())
    assert (len(store), store.position) == (len(rows), position)
    snapshot = store.snapshot()
    for key in [*rows, b"not there", b"n" * 600]:
        assert store.get(key) == snapshot.get(key) == rows.get(key)
    snapshot.release()
    for prefix in {key[:size] for key in rows for size in (1, 3, LONGEST, LONGEST + 1)}:
        expected = sorted(row for row in rows.items() if row[0].startswith(prefix))
        assert list(store.items(prefix)) == expected


@settings(max_examples=40, deadline=None)
@given(steps)
@pytest.mark.parametrize("kind", ["memory", "lmdb"])
def test_a_store_behaves_as_a_dict_with_a_position(kind: str, steps: list[tuple]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store"
        store: Storage = MemoryStorage() if kind == "memory" else LmdbStorage(path, "topic 0")
        rows: dict[bytes, bytes] = {}
        position = None
        for number, (step, what) in enumerate(steps):
            if step == "write":
                store.write(what, number)
                rows = {k: v for k, v in {**rows, **what}.items() if v is not None}
                position = number
            elif step == "evict":
                store.evict(what)
                rows.pop(what, None)
            elif step == "clear":
                store.clear()
                rows, position = {}, None
            elif kind == "lmdb":
                store.close()
                store = LmdbStorage(path, "topic 0")
        check(store, rows, position)
        store.close()


def test_a_new_store_is_empty_and_has_no_position(store: Storage) -> None:
    check(store, {}, None)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key[:6]!a} {len(key)}")
def test_any_key_is_written_read_and_removed(store: Storage, key: str) -> None:
    raw = key.encode("utf-8", "surrogateescape")
    store.write({raw: b"1", b"other": b"2"}, 1)
    check(store, {raw: b"1", b"other": b"2"}, 1)
    store.write({raw: None}, 2)
    check(store, {b"other": b"2"}, 2)


def test_an_empty_value_is_a_value(store: Storage) -> None:
    store.write({b"a": b"", b"": b"", b"k" * 600: b""}, 1)
    assert store.get(b"a") == store.get(b"") == store.get(b"k" * 600) == b""
    assert len(store) == 3


@pytest.mark.parametrize("count", [999, 1_000, 1_001, 2_500])
def test_iteration_is_sorted_and_complete_across_chunks(store: Storage, count: int) -> None:
    rows = {b"user-%d" % i: b"%d" % i for i in range(count)}
    store.write({**rows, b"other": b"", b"z": b"", b"user-" + b"9" * 600: b"odd"}, 1)
    expected = {**rows, b"user-" + b"9" * 600: b"odd"}
    assert list(store.items(b"user-")) == sorted(expected.items())
    assert len(list(store.items())) == count + 3 == len(store)


def test_an_iteration_outlives_writes_and_the_growth_of_the_map(store: Storage) -> None:
    rows = {b"%05d" % i: b"x" for i in range(2_500)}
    store.write(rows, 1)
    items = store.items()
    first = next(items)
    store.write({b"big": b"x" * (3 << 20), b"00999": None}, 2)
    keys = [first[0], *(key for key, _ in items)]
    assert keys == sorted(set(keys))
    assert set(keys) >= set(rows) - {b"00999"}


def test_the_map_grows_for_values_larger_than_it_was(store: Storage) -> None:
    rows = {b"%d" % i: bytes([i]) * (1 << 20) for i in range(5)}
    store.write(rows, 1)
    check(store, rows, 1)


@pytest.mark.parametrize("change", ["evict", "clear", "write", "close"])
def test_a_full_map_grows_for_every_change(tmp_path: Path, change: str) -> None:
    """A map that is opened again is just as large as its rows."""
    for count in (600, 1_200, 1_800):
        path = tmp_path / str(count)
        store = LmdbStorage(path, "topic 0")
        store.write({b"%d" % i: b"x" * 1_000 for i in range(count)}, 1)
        store.close()
        store = LmdbStorage(path, "topic 0")
        assert len(store) == count
        if change == "evict":
            store.evict(b"5")
            assert store.get(b"5") is None
        elif change == "clear":
            store.clear()
            assert len(store) == 0
        elif change == "write":
            store.write({b"%d" % i: b"y" * 1_000 for i in range(count)}, 2)
            assert store.get(b"5") == b"y" * 1_000
        store.close()


def test_rows_and_position_move_together_or_not_at_all(tmp_path: Path) -> None:
    store = LmdbStorage(tmp_path, "topic 0")
    store.write({b"a": b"1"}, 1)
    with pytest.raises(TypeError):
        store.write({b"a": b"2", b"b": "text"}, 2)  # type: ignore[dict-item]
    check(store, {b"a": b"1"}, 1)
    store.close()
    again = LmdbStorage(tmp_path, "topic 0")
    check(again, {b"a": b"1"}, 1)
    again.close()


def test_a_snapshot_sees_the_rows_of_its_first_read_until_it_is_released(tmp_path: Path) -> None:
    store = LmdbStorage(tmp_path, "topic 0")
    store.write({b"a": b"1"}, 1)
    snapshot = store.snapshot()
    assert snapshot.get(b"a") == b"1"
    store.write({b"a": b"2"}, 2)
    assert snapshot.get(b"a") == b"1"
    snapshot.release()
    assert snapshot.get(b"a") == b"2"
    snapshot.release()
    store.close()


def test_a_closed_store_can_be_closed_again_and_refuses_to_read(tmp_path: Path) -> None:
    store = LmdbStorage(tmp_path, "topic 0")
    store.close()
    store.close()
    for read in (lambda: store.get(b"a"), lambda: list(store.items()), lambda: len(store)):
        with pytest.raises(UsageError, match="closed"):
            read()


# Found again, or dropped.


def filled(path: Path, identity: str = "topic 0") -> Path:
    store = LmdbStorage(path, identity)
    store.write({b"%d" % i: b"x" * 100 for i in range(2_000)}, 7)
    store.close()
    return path


def expect_dropped(path: Path, caplog: pytest.LogCaptureFixture, words: str) -> None:
    with caplog.at_level(logging.WARNING, "clicklib"):
        store = LmdbStorage(path, "topic 0")
    check(store, {}, None)
    store.write({b"a": b"1"}, 1)
    check(store, {b"a": b"1"}, 1)
    store.close()
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert words in caplog.text
    assert str(path) in caplog.text


def test_a_closed_store_is_found_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = LmdbStorage(filled(tmp_path), "topic 0")
    assert (len(store), store.position) == (2_000, 7)
    store.close()
    assert not caplog.records


def overwrite(data: Path) -> None:
    data.write_bytes(os.urandom(data.stat().st_size))


def cut(share: float) -> Callable[[Path], None]:
    return lambda data: os.truncate(data, int(data.stat().st_size * share))


def put(key: bytes, value: bytes) -> Callable[[Path], None]:
    def change(data: Path) -> None:
        import lmdb

        with lmdb.open(str(data.parent), max_dbs=3) as env:
            meta = env.open_db(b"meta")
            with env.begin(write=True) as txn:
                txn.put(key, value, db=meta)

    return change


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(overwrite, "damaged", id="garbage"),
        pytest.param(lambda data: data.write_bytes(b"hello"), "damaged", id="another file"),
        pytest.param(cut(0.001), "damaged", id="cut in its head"),
        pytest.param(cut(0.05), "damaged", id="cut after its head"),
        pytest.param(cut(0.5), "damaged", id="cut in the middle"),
        pytest.param(cut(0.999), "damaged", id="cut at its end"),
        pytest.param(put(b"position", b"no number"), "damaged", id="position"),
        pytest.param(put(b"open since boot", b"?"), "damaged", id="boot time"),
        pytest.param(put(b"identity", b"clicklib store 2 topic 0"), "version", id="newer format"),
    ],
)
def test_a_store_that_is_not_whole_is_dropped_with_a_warning(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], None],
    words: str,
) -> None:
    damage(filled(tmp_path) / "data.mdb")
    expect_dropped(tmp_path, caplog, words)


@pytest.mark.parametrize("identity", ["topic 1", "other topic 0", "topic", ""])
def test_the_store_of_another_topic_is_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, identity: str
) -> None:
    expect_dropped(filled(tmp_path, identity), caplog, "another topic")


def another_program_s(path: Path, **options: bool) -> None:
    """A map of LMDB that is none of ours, with a name of ours in it."""
    with lmdb.open(str(path), max_dbs=3) as env:
        if options:
            env.open_db(b"rows", **options)
        with env.begin(write=True) as txn:
            txn.put(b"meta", b"mine")


def a_folder_for_its_data(path: Path) -> None:
    (path / "data.mdb").mkdir(parents=True)
    (path / "data.mdb" / "file").write_bytes(b"mine")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(another_program_s, id="another program's"),
        pytest.param(lambda path: another_program_s(path, dupsort=True), id="other kind of rows"),
        pytest.param(lambda path: another_program_s(path, integerkey=True), id="other kind of key"),
        pytest.param(a_folder_for_its_data, id="folder"),
        pytest.param(lambda path: (path / "data.mdb").symlink_to("data.mdb"), id="loop of links"),
    ],
)
def test_what_another_left_there_is_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, make: Callable[[Path], None]
) -> None:
    make(tmp_path)
    expect_dropped(tmp_path, caplog, "rebuilt")


@pytest.mark.parametrize(
    "lock", [b"", b"no lock", b"\xff" * 8192, None], ids=["empty", "short", "garbage", "gone"]
)
def test_the_lock_file_of_a_store_does_not_matter(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, lock: bytes | None
) -> None:
    file = filled(tmp_path) / "lock.mdb"
    assert not file.exists(), "it would be a third file"
    if lock is not None:  # of a version that made one
        file.write_bytes(lock)
    store = LmdbStorage(tmp_path, "topic 0")
    found = (len(store), store.position)
    store.close()
    assert found == ((0, None) if "dropped" in caplog.text else (2_000, 7))


def test_bytes_behind_the_end_of_a_store_do_not_matter(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (filled(tmp_path) / "data.mdb").open("ab") as data:
        data.write(os.urandom(5_000))
    store = LmdbStorage(tmp_path, "topic 0")
    store.write({b"new": b"x" * 9_000}, 8)
    assert (len(store), store.get(b"new"), store.get(b"7")) == (2_001, b"x" * 9_000, b"x" * 100)
    store.close()
    assert not caplog.records


def test_a_file_where_the_store_should_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(StoreError, match="file"):
        LmdbStorage(tmp_path / "file", "topic 0")
    assert (tmp_path / "file").read_bytes() == b"mine"


def killed_while_open(path: Path) -> Path:
    code = (
        "import os, sys; from pathlib import Path; from clicklib.stores.lmdb import LmdbStorage;"
        "LmdbStorage(Path(sys.argv[1]), 'topic 0').write({b'a': b'1'}, 7); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 9
    return path


def test_a_store_left_open_by_a_killed_process_is_found_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = LmdbStorage(killed_while_open(tmp_path), "topic 0")
    check(store, {b"a": b"1"}, 7)
    store.close()
    assert not caplog.records


def test_a_store_that_was_never_closed_in_three_programs_is_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """LMDB ends the process over some damage, and would do so at each start."""
    for _ in range(3):
        assert not caplog.records
        killed_while_open(tmp_path)
    expect_dropped(tmp_path, caplog, "the last 3 programs ended with it open")


def test_a_store_with_an_empty_page_ends_three_programs_at_most(tmp_path: Path) -> None:
    data = filled(tmp_path) / "data.mdb"
    with data.open("r+b") as file:
        file.seek(data.stat().st_size // 2 // 4096 * 4096)
        file.write(bytes(4096))
    code = (
        "import sys; from pathlib import Path; from clicklib.stores.lmdb import LmdbStorage;"
        "store = LmdbStorage(Path(sys.argv[1]), 'topic 0'); list(store.items()); store.close()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    ends = [subprocess.run(command, capture_output=True, check=False).returncode for _ in range(4)]
    assert ends == [-signal.SIGABRT] * 3 + [0]


def test_a_store_left_open_when_the_machine_went_down_is_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_while_open(tmp_path)
    booted = storage._boot_minute()
    monkeypatch.setattr(storage, "_boot_minute", lambda: booted + 2)
    expect_dropped(tmp_path, caplog, "went down")


def test_a_store_that_was_closed_outlives_a_reboot(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path)
    booted = storage._boot_minute()
    monkeypatch.setattr(storage, "_boot_minute", lambda: booted + 60)
    store = LmdbStorage(tmp_path, "topic 0")
    assert store.position == 7
    store.close()
    assert not caplog.records


def test_damage_that_only_a_read_shows_drops_the_store_at_the_next_opening(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = LmdbStorage(tmp_path / "0", "topic 0")
    store.write({b"user-%d" % i: b"x" * 200 for i in range(500)}, 500)

    def read(transaction: Any) -> None:
        raise lmdb.CorruptedError("located page was wrong type")

    with pytest.raises(StoreError, match="the next start rebuilds it"):
        store._read(read)
    store.close()
    with caplog.at_level("WARNING", "clicklib"):
        store = LmdbStorage(tmp_path / "0", "topic 0")
    assert "found damaged" in caplog.text
    assert (store.position, list(store.items())) == (None, [])
    store.close()


FULL = """
import resource, sys
from pathlib import Path
from typing import Any
from clicklib.errors import StoreError
from clicklib.stores.lmdb import LmdbStorage

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    store = LmdbStorage(Path(sys.argv[1]), "topic 0")
    for n in range(1_000):
        store.write({b"user-%d" % n: b"x" * 500}, n)
except StoreError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
@pytest.mark.parametrize(
    ("limit", "told"),
    [(0, "cannot be made"), (8_192, "cannot be made"), (100_000, "if there is room on its disk")],
)
def test_a_full_disk_is_a_store_error(tmp_path: Path, limit: int, told: str) -> None:
    """A file that may not grow meets the program as a full disk does: the write fails."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "0"), str(limit)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert told in done.stdout
    store = LmdbStorage(tmp_path / "0", "topic 0")  # there is room again
    assert store.position is None
    store.close()
