"""A program beside a kernel: what it prints, how it ends, and that it ends with its kernel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from clicklib.lessons import Program, stop_everything, wait_until

# They sleep again and again: a signal between `print` and one long sleep does not end that sleep.
TALKS = """
import sys, time
print("hello", *sys.argv[1:])
for _ in range(600):
    time.sleep(0.1)
"""
FREEZES = "import psutil; print('frozen'); psutil.Process().suspend()"
STAYS = """
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("stays")
time.sleep(60)
"""
TIDIES = """
import signal, time
def tidy(*_):
    print("asked")
    time.sleep(0.5)
    raise SystemExit
signal.signal(signal.SIGINT, tidy)
print("ready")
for _ in range(600):
    time.sleep(0.1)
"""
KERNEL = f"""
import time
from clicklib.lessons import Program
for text in ({TALKS!r}, {FREEZES!r}):
    program = Program("-c", text)
    while not program.lines():
        time.sleep(0.01)
    print(program.pid, flush=True)
time.sleep(60)
"""


def test_it_prints_and_is_stopped_as_by_ctrl_c() -> None:
    program = Program("-c", TALKS, "a", "b")
    wait_until("it has printed", program.lines, timeout=20)
    assert program.lines("hello") == ["hello a b"]
    assert program.lines("bye") == []
    assert program.running
    assert "running" in repr(program)
    assert program.stop() != 0
    assert program.lines("KeyboardInterrupt")
    assert (program.running, program.stop()) == (False, program.stop())


def test_one_that_does_not_end_in_time_is_killed() -> None:
    program = Program("-c", STAYS)
    wait_until("it has printed", program.lines, timeout=20)
    assert program.stop(timeout=0.2) == -signal.SIGKILL


def test_it_is_asked_once_by_all_who_stop_it() -> None:
    program = Program("-c", TIDIES)
    wait_until("it has printed", program.lines, timeout=20)
    with ThreadPoolExecutor() as pool:
        stops = [pool.submit(program.stop) for _ in range(2)]
        assert [stop.result(30) for stop in stops] == [0, 0]
    assert program.lines("asked") == ["asked"]


def test_a_frozen_one_is_known_and_can_be_killed() -> None:
    program = Program("-c", FREEZES)
    wait_until("it is frozen", lambda: program.frozen, timeout=20)
    assert program.kill() == -signal.SIGKILL
    assert not program.frozen


def test_stop_everything_stops_it_too() -> None:
    program = Program("-c", TALKS)
    wait_until("it has printed", program.lines, timeout=20)
    stop_everything()
    stop_everything()
    assert not program.running


SUSPENDS = f"""
import time
from clicklib.lessons.programs import at_kernels_end
import psutil, subprocess, sys
program = [sys.executable, "-c", {TALKS!r}]
other = subprocess.Popen(program, start_new_session=True, stdout=subprocess.DEVNULL)
at_kernels_end("resume", other.pid)
psutil.Process(other.pid).suspend()
print(other.pid, flush=True)
time.sleep(60)
"""


def test_a_process_that_the_kernel_has_suspended_is_resumed_at_its_end() -> None:
    kernel = subprocess.Popen([sys.executable, "-c", SUSPENDS], stdout=subprocess.PIPE, text=True)
    assert kernel.stdout is not None
    other = psutil.Process(int(kernel.stdout.readline()))
    try:
        wait_until("it is suspended", lambda: other.status() == psutil.STATUS_STOPPED, timeout=20)
        kernel.kill()
        kernel.wait(20)
        wait_until("it is resumed", lambda: other.status() != psutil.STATUS_STOPPED, timeout=20)
    finally:
        other.kill()
        kernel.kill()
        kernel.stdout.close()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_its_kernel_even_when_it_is_frozen(end: signal.Signals) -> None:
    kernel = subprocess.Popen(
        [sys.executable, "-c", KERNEL], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert kernel.stdout is not None
    programs = [psutil.Process(int(kernel.stdout.readline())) for _ in range(2)]
    os.kill(kernel.pid, end)
    kernel.wait(20)
    kernel.stdout.close()

    def gone() -> bool:
        return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in programs)

    wait_until("both have ended", gone, timeout=20)
