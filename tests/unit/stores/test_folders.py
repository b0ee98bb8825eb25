"""One owner a folder, found again warm, and nothing outside of the root."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from clicklib.broker import home
from clicklib.cli import cli
from clicklib.errors import LocalBrokerError, UsageError
from clicklib.stores import folders
from clicklib.stores.folders import MemoryDirectory, StateDirectory, default_state_dir
from clicklib.stores.lmdb import LmdbStorage
from clicklib.stores.memory import MemoryStorage

ODD = ["..", ".", "/", "../../etc", "a/b", "a\\b", "C:", "nul\0", "", "ünï ☃", "x" * 5_000, "%2E"]


def open_directory(root: Path | str, topic: str = "t", owner: str = "g") -> StateDirectory:
    return StateDirectory(root, "cluster", owner, topic)


def test_a_store_is_opened_once(tmp_path: Path) -> None:
    directory = open_directory(tmp_path)
    store = directory.store(3, "id")
    assert isinstance(store, LmdbStorage)
    assert directory.store(3, "id") is store
    assert directory.store(4, "id") is not store
    directory.close()


def test_only_the_stores_that_are_kept_stay_open(tmp_path: Path) -> None:
    directory = open_directory(tmp_path)
    stores = [directory.store(partition, "id") for partition in range(4)]
    stores[2].write({b"a": b"1"}, 7)
    directory.keep({0, 3, 9})
    assert [directory.store(partition, "id") is stores[partition] for partition in (0, 3)] == [
        True,
        True,
    ]
    with pytest.raises(UsageError, match="closed"):
        stores[2].get(b"a")
    assert directory.store(2, "id").get(b"a") == b"1"
    directory.close()


def test_a_program_finds_its_rows_again(tmp_path: Path) -> None:
    first = open_directory(tmp_path)
    first.store(3, "id").write({b"a": b"1"}, 7)
    first.close()
    second = open_directory(str(tmp_path))
    assert second.path == first.path
    assert (second.store(3, "id").get(b"a"), second.store(3, "id").position) == (b"1", 7)
    second.close()


def test_a_second_program_beside_it_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    first, second = open_directory(tmp_path), open_directory(tmp_path)
    assert first.path != second.path
    first.close()
    third = open_directory(tmp_path)
    assert third.path == first.path
    second.close()
    third.close()


@pytest.mark.parametrize(
    "other", [("c2", "g", "t"), ("c", "g2", "t"), ("c", "g", "t2"), ("c", "gt", "")]
)
def test_no_two_tables_share_a_folder(tmp_path: Path, other: tuple[str, str, str]) -> None:
    first = StateDirectory(tmp_path, "c", "g", "t")
    first.store(0, "id").write({b"a": b"1"}, 7)
    first.close()
    second = StateDirectory(tmp_path, *other)
    assert second.store(0, "id").get(b"a") is None
    second.close()


@pytest.mark.parametrize("name", ODD, ids=lambda name: f"{name[:12]!a}")
def test_an_odd_name_stays_inside_of_the_root(tmp_path: Path, name: str) -> None:
    root = tmp_path / "root"
    directory = StateDirectory(root, name, name, name)
    directory.store(0, "id").write({b"a": b"1"}, 7)
    assert directory.path.resolve().relative_to(root.resolve()).parts[-1] == "0"
    assert len(directory.path.relative_to(root).parts) == 4
    directory.close()
    assert [path.name for path in tmp_path.iterdir()] == ["root"]


@settings(max_examples=200)
@given(st.text(), st.text())
def test_different_names_have_different_folders(one: str, other: str) -> None:
    names = {folders._name(one), folders._name(other)}
    assert len(names) == len({one, other})
    for name in names:
        assert 0 < len(name) <= 120
        assert name.isascii()
        assert not set(name) & set("/\\.:\0 ")


@pytest.mark.parametrize("name", ["file", "fi\0le"])
def test_a_root_that_cannot_be_written_says_so(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UsageError, match="state_dir"):
        open_directory(tmp_path / name)


def test_a_root_is_the_same_folder_from_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    for root, folder in (("state", tmp_path / "state"), ("~/state", tmp_path / "home" / "state")):
        directory = open_directory(root)
        monkeypatch.chdir("elsewhere")
        directory.store(0, "id")
        directory.close()
        monkeypatch.chdir(tmp_path)
        assert directory.path.is_relative_to(folder)
        assert (directory.path / "0" / "data.mdb").exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_directory_can_be_closed_again(tmp_path: Path) -> None:
    directory = open_directory(tmp_path)
    directory.store(0, "id")
    directory.close()
    directory.close()


def test_the_folder_of_the_user_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "default_state_dir", lambda: tmp_path / "cache")
    directory = StateDirectory(None, "c", "g", "t")
    assert directory.path.is_relative_to(tmp_path / "cache")
    directory.close()
    for name in ("CLICKLIB_STATE_DIR", "CLICKLIB_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert default_state_dir().name in ("clicklib", "Cache")
    monkeypatch.setenv("CLICKLIB_HOME", str(tmp_path / "home"))
    assert default_state_dir() == tmp_path / "home" / "state"
    monkeypatch.setenv("CLICKLIB_STATE_DIR", "some")
    assert default_state_dir() == Path.cwd() / "some"


@pytest.mark.skipif(os.name != "posix", reason="elsewhere every user has a home folder")
def test_a_user_without_a_home_folder_is_told_what_to_name(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    def no_entry(user: object) -> None:
        raise KeyError(user)

    for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "CLICKLIB_HOME", "CLICKLIB_STATE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", no_entry)
    with pytest.raises(UsageError, match=r"no home folder .*--state-dir or CLICKLIB_STATE_DIR"):
        default_state_dir()
    with pytest.raises(LocalBrokerError, match=r"no home folder: .*CLICKLIB_HOME"):
        home()
    report = CliRunner().invoke(cli, ["doctor"]).output
    assert "missing local stores: this user has no home folder" in report
    assert "missing Kafka's folder: this user has no home folder" in report
    assert "Java: " in report
    monkeypatch.setenv("HOME", "/")
    assert default_state_dir() == Path("/.cache/clicklib")


def test_in_memory_nothing_outlives_the_close() -> None:
    directory = MemoryDirectory()
    store = directory.store(0, "id")
    store.write({b"a": b"1"}, 7)
    assert isinstance(store, MemoryStorage)
    assert directory.store(0, "id") is store
    directory.close()
    assert directory.store(0, "id").position is None


def test_a_slot_s_holder_is_inherited_and_nobody_else_s(tmp_path: Path) -> None:
    first, second = open_directory(tmp_path), open_directory(tmp_path)
    names = {first.holder, second.holder, MemoryDirectory().holder, MemoryDirectory().holder}
    assert len(names) == 4
    (second.path / "holder").write_text("")  # killed while it wrote
    assert second.holder not in names
    first.close()
    again = open_directory(tmp_path)
    assert again.path == first.path
    assert again.holder == first.holder
    again.close()
    second.close()


def test_a_copy_of_a_folder_has_another_holder(tmp_path: Path) -> None:
    first = open_directory(tmp_path / "state")
    assert first.holder
    shutil.copytree(tmp_path / "state", tmp_path / "copy")
    second = open_directory(tmp_path / "copy")
    assert first.holder != second.holder
    first.close()
    second.close()
