"""The limit of open files: it is raised where that is allowed, and named where it is met."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("Windows has no such limit", allow_module_level=True)

MET = """
import os, resource, sys
from pathlib import Path
from clicklib import ClicklibError, TopicManager, errors
from clicklib.stores.folders import StateDirectory
from clicklib.stores.lmdb import LmdbStorage

folder, address = sys.argv[1:]
place = Path(folder, "store")
store = LmdbStorage(place, "t")
store.write({b"a": b"1"}, 1)
store.close()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
opened = []
try:
    while True:
        opened.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass

def attempt(free, call):
    for _ in range(free):
        os.close(opened.pop())
    try:
        call()
    except ClicklibError as error:
        print(type(error).__name__, errors.OUT_OF_FILES in str(error))

attempt(0, lambda: LmdbStorage(place, "t"))
attempt(0, lambda: StateDirectory(folder, "c", "g", "t"))
attempt(0, lambda: TopicManager(address))
attempt(3, lambda: TopicManager(address))  # enough for a client, not for its connection
for number in opened:
    os.close(number)
store = LmdbStorage(place, "t")
print(store.get(b"a"))
"""

RAISED = """
import resource
from clicklib.client.connect import allow_files
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300))
print(allow_files(200), allow_files(150), allow_files(1000))
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def lines_of(code: str, *arguments: object) -> list[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_limit_is_named_at_once_and_no_store_is_dropped(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        lines = lines_of(MET, tmp_path, address)
    assert lines == [
        "StoreError True",
        "StoreError True",
        "KafkaError True",
        "KafkaError True",
        "b'1'",
    ]


def test_the_limit_is_raised_as_far_as_the_system_lets_it() -> None:
    assert lines_of(RAISED) == ["200 200 300", "300 300"]
