"""Eleven processors, an emitter and a view in a program that may open 256 files, as on macOS."""

from __future__ import annotations

import subprocess
import sys

import pytest

from clicklib import errors

if sys.platform == "win32":
    pytest.skip("Windows has no such limit", allow_module_level=True)

PROGRAM = """
import resource, sys
from clicklib import ClicklibError, Emitter, Processor, String, View, clicks
from tests.waiting import wait_until

address, group, topic, state = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
graph = clicks.graph(clicks.count, group, topic)


def processor():
    return Processor(address, graph, state_dir=state).start()


first = processor().wait_running()  # it has all partitions, and gives up most of them
processors = [first, *(processor() for _ in range(10))]
view = View(address, graph.table, clicks.UserCodec(), state_dir=state).start().wait_running()
wait_until(
    "each has its share",
    lambda: {p.state for p in processors} == {"running"}
    and sorted(n for p in processors for n in p.partitions) == list(range(10))
    and max(len(p.partitions) for p in processors) == 1
)


def count():
    wanted = view_total() + 100
    with Emitter(address, topic, String()) as emitter:
        for number in range(100):
            emitter.emit(f"user-{number}", "now")
    wait_until("all are counted", lambda: view_total() >= wanted)


def view_total():
    return sum(user.clicks for _, user in view.items())


count()
print([p.error for p in processors if p.error])
taken = []
try:
    while True:
        taken.append(open("/dev/null"))
except OSError:
    pass
try:
    processor().wait_running()
except ClicklibError as error:
    print(error)
for file in taken:
    file.close()
count()
print([p.error for p in processors if p.error])
"""


def test_eleven_processors_fit_into_256_files_and_one_too_many_says_so(cluster, topic, name, state):
    [address] = cluster.addresses
    run = [sys.executable, "-c", PROGRAM, address, name, topic, str(state)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    before, met, after = done.stdout.splitlines()
    assert (before, after) == ("[]", "[]"), done.stderr
    assert errors.OUT_OF_FILES in met
