"""Where job a spends its time: a sampling profiler beside clicklib's processor, by thread."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from benchmarks import programs
from benchmarks.harness import Harness

_RATE = 200  # samples a second
_SHOWN = 12


def profile(messages: int) -> int:
    """Count a backlog under py-spy, and print which functions each thread was in; an exit code."""
    spy = Path(programs.environment("py-spy", programs.PY_SPY)).with_name("py-spy")
    with Harness() as harness:
        topic = harness.fill("uniform", messages, 10)
        command = harness.start(
            programs.clicklib(),
            "count",
            topic=topic.name,
            group="profiled",
            state=harness.state(),
            messages=messages,
        )
        found = harness.folder / "stacks"
        sampler = [str(spy), "record", "--format", "raw", "--threads", "--gil", "--rate"]
        with harness.running([*sampler, str(_RATE), "--output", str(found), "--", *command]) as (
            process,
        ):
            process.line("counted")
            process.wait()
        print(summary(found.read_text("utf-8")))
    return 0


def summary(stacks: str) -> str:
    """For each thread its share of the samples, and of its functions those it was most in.

    A line of `stacks` is `thread (7): its name;function (file:line);... samples`, the innermost
    function last.
    """
    threads: Counter[str] = Counter()
    inside: dict[str, Counter[str]] = {}
    within: dict[str, Counter[str]] = {}
    for line in stacks.splitlines():
        stack, _, samples = line.rpartition(" ")
        thread, *frames = stack.split(";")
        name = kind(thread)
        names = [frame.rpartition(":")[0] + ")" for frame in frames]
        threads[name] += int(samples)
        inside.setdefault(name, Counter())[names[-1] if names else "?"] += int(samples)
        for frame in set(names):
            within.setdefault(name, Counter())[frame] += int(samples)
    total = max(1, threads.total())
    lines = ["Of all samples that held the interpreter, in %: the function itself; with callees"]
    for name, taken in threads.most_common():
        lines.append(f"{100 * taken / total:5.1f}  {name}")
        lines += [
            f"    {100 * count / total:5.1f} {100 * within[name][frame] / total:5.1f}  {frame}"
            for frame, count in inside[name].most_common(_SHOWN)
        ]
    return "\n".join(lines)


def kind(thread: str) -> str:
    """A thread's name without what differs between threads of one kind; `thread (7): its name`."""
    return thread.partition("): ")[2].rstrip("0123456789 -.") or "unnamed: imports, the main thread"
