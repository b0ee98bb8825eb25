"""The jobs: what each asks of a program, and how its result is checked.

A job has one or more cases, each with the programs that can do it. A case's `run` takes the harness
and a program, and returns the figures of one run, or raises Failed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import starts
from benchmarks.harness import Failed, Figures, Filled, Harness, Process
from benchmarks.programs import Program, python

__all__ = ["Case", "cases"]

Run = Callable[[Harness, Program], Figures]

ALL = ("limit", "clicklib", "Goka", "Kafka Streams", "quixstreams", "faust")
EXACT = ("limit", "clicklib", "Kafka Streams", "quixstreams")
READY = ("ready", "recovered")
STARTS = 10  # rounds: a start is short, and other programs delay it much
FAUST_SHARE = 20  # faust gets one of so many messages: it is that slow


@dataclass(frozen=True)
class Case:
    """One table of the results. `measure` says what is compared (see report.Outcome)."""

    job: str
    title: str
    programs: Sequence[str]
    run: Run
    rounds: int
    unit: str = "clicks/s"
    measure: str = "rate"


def cases(messages: int, rounds: int) -> list[Case]:
    """All cases, for a backlog of so many messages; the dear ones have fewer rounds."""
    users, fewer = max(10, messages // 10), min(2, rounds)
    few, many = ("uniform", messages, 10), ("uniform", messages, users)
    one = ("uniform", messages, 1)
    zipf, table = ("zipf", messages, users), ("table", messages, users)
    store, emit = partial(_restart, many), partial(_emit, messages, False)
    at_once = partial(_emit, messages, True)
    large = partial(_restart, ("uniform", messages, messages))
    view, load, eos = partial(_view, table), partial(_load, table), partial(_count, "exactly-once")
    return [
        Case("a", "count, 10 users", ALL, partial(_count, "", few), rounds),
        Case("b", f"count, {users:,} users", ALL[:-1], partial(_count, "", many), rounds),
        Case("c", f"count, {users:,} users, Zipf", ALL[:-1], partial(_count, "", zipf), fewer),
        Case("d", "an empty view of a table", ALL[:4], view, rounds, "rows/s"),
        Case("e", f"restart, {users:,} users", ALL[1:-1], store, fewer, measure="wall"),
        Case("e", f"restart, {messages:,} users", ALL[1:4], large, fewer, measure="wall"),
        *(_latency_case(rate, messages, fewer) for rate in (10, 1_000, 10_000)),
        Case("g", "emit", ALL[:-1], emit, fewer),
        Case("h", "the endpoint", ALL[:3], load, fewer, "requests/s"),
        Case("i", "exactly once, 10 users", EXACT, partial(eos, few), fewer),
        Case("i", f"exactly once, {users:,} users", EXACT, partial(eos, many), fewer),
        *(_several_case(number, few, 1) for number in (1, 2, 4)),
        *(_growth_case(messages * times // 10, 10, fewer) for times in (1, 10, 100)),
        *(_growth_case(messages, partitions, fewer) for partitions in (1, 100)),
        Case("k", "one busy partition of ten", ALL[:2], partial(_count, "", one), fewer),
        Case("l", "start of the local Kafka", ALL[:2], starts.kafka, STARTS, measure="wall"),
        Case("l", "the demo to its first count", ALL[1:2], starts.demo, STARTS, measure="wall"),
        Case("l", "restart of the first lesson", ALL[1:2], starts.lesson, STARTS, measure="wall"),
        Case("m", "emit many at once", ALL[:-1], at_once, fewer),
    ]


def _latency_case(rate: int, messages: int, rounds: int) -> Case:
    run = partial(_latency, rate, max(100, min(rate * 5, messages)))
    return Case("f", f"latency at {rate:,} clicks/s", ALL[:-1], run, rounds, measure="latency")


def _several_case(number: int, what: tuple, rounds: int) -> Case:
    name = f"{number} processor{'s' * (number > 1)}, 10 users"
    return Case("j", name, ALL[1:4], partial(_several, number, what), rounds)


def _growth_case(messages: int, partitions: int, rounds: int) -> Case:
    name = f"{messages:,} clicks, {partitions} partition{'s' * (partitions > 1)}"
    run = partial(_count, "", ("uniform", messages, 10, partitions))
    return Case("k", name, ALL[:2], run, 1 if messages > 2_000_000 else rounds)


def _figures(
    processes: list[Process], ready: float, done: float, messages: int, **more: float
) -> Figures:
    return Figures(
        wall=done - processes[0].begin,
        steady=done - ready,
        cpu=sum(process.cpu for process in processes),
        memory=sum(process.peak for process in processes),
        rate=messages / (done - ready),
        more=more,
    )


def _fill(harness: Harness, program: Program, what: tuple) -> Filled:
    draw, messages, *rest = what
    return harness.fill(draw, messages // (FAUST_SHARE if program.name == "faust" else 1), *rest)


def _check_table(harness: Harness, program: Program, group: str, topic: Filled) -> None:
    """The sum of the group's table is the number of clicks, and all of them are committed."""
    name = program.table.format(group=group, topic=topic.name)
    _, clicks = harness.table(name)
    if clicks != topic.messages:
        raise Failed(f"wrong result: {clicks:,} of {topic.messages:,} clicks counted")
    committed = harness.committed(group, topic.name)
    if committed != topic.messages:
        raise Failed(f"wrong result: {committed:,} of {topic.messages:,} clicks committed")


def _count(guarantee: str, what: tuple, harness: Harness, program: Program) -> Figures:
    topic, group = _fill(harness, program, what), harness.name("group")
    command = harness.start(
        program,
        "count",
        topic=topic.name,
        group=group,
        state=harness.state(),
        messages=topic.messages,
        exactly_once=guarantee == "exactly-once",
    )
    with harness.running(command) as (process,):
        ready, _ = process.line(*READY)
        done, facts = process.line("counted")
        process.wait()
    if facts["counted"] != topic.messages:
        raise Failed(f"wrong result: {facts['counted']:,} clicks handled")
    if program.table:
        _check_table(harness, program, group, topic)
    return _figures([process], ready, done, topic.messages)


def _view(what: tuple, harness: Harness, program: Program) -> Figures:
    topic = _fill(harness, program, what)
    command = harness.start(program, "view", table=topic.name, state=harness.state())
    with harness.running(command) as (process,):
        ready, _ = process.line(*READY)
        done, facts = process.line("done", "counted")
        if program.table:
            _, facts = process.line("rows")
        process.wait()
    wanted = {"rows": topic.users, "clicks": topic.messages}
    if not program.table:
        wanted = {"counted": topic.messages}
    if facts != wanted:
        raise Failed(f"wrong result: {facts}")
    return _figures([process], ready, done, topic.messages)


def _restart(what: tuple, harness: Harness, program: Program) -> Figures:
    """A processor that has counted all has ended, and another starts on its store."""
    topic = _fill(harness, program, what)
    group, state = harness.once(
        ("counted", program.name, topic.name), _counted, harness, program, topic
    )
    where = {"topic": topic.name, "group": group, "state": state}
    with harness.running(harness.start(program, "count", messages=0, **where)) as (process,):
        ready, _ = process.line(*READY)
        process.terminate()
        process.wait()
    _check_table(harness, program, group, topic)
    return Figures(ready - process.begin, 0.0, process.cpu, process.peak, 0.0)


def _counted(harness: Harness, program: Program, topic: Filled) -> tuple[str, Path]:
    """A group that has counted the whole topic, and the local store that it left."""
    group, state = harness.name("group"), harness.state()
    where = {"topic": topic.name, "group": group, "state": state}
    with harness.running(harness.start(program, "count", messages=topic.messages, **where)) as (
        process,
    ):
        process.line("counted")
        process.wait()
    return group, state


def _latency(rate: int, messages: int, harness: Harness, program: Program) -> Figures:
    topic, group = harness.create(harness.name("latency")), harness.name("group")
    table = program.table.format(group=group, topic=topic) if program.table else f"{group}-table"
    command = ["forward", "count"][bool(program.table)]
    where = {"topic": topic, "group": group, "state": harness.state()}
    if not program.table:
        where = {"topic": topic, "table": harness.create(table, table=True)}
    probe = [*python("probe"), "latency", "--brokers", harness.brokers, "--topic", topic]
    probe += ["--table", table, "--rate", str(rate), "--messages", str(messages)]
    started = harness.start(program, command, messages=0, latency=True, **where)
    with harness.running(started) as (process,):
        process.line(*READY)
        with harness.running(probe) as (prober,):
            ready, _ = prober.line()
            done, facts = prober.line("seen")
            prober.wait()
        process.terminate()
        process.wait()
    if facts["seen"] != messages:
        raise Failed(f"wrong result: the view saw {facts['seen']:,} of {messages:,} clicks")
    return _figures([process], ready, done, messages, median=facts["median"], p99=facts["p99"])


def _emit(messages: int, many: bool, harness: Harness, program: Program) -> Figures:
    topic = harness.create(harness.name("emitted"))
    command = harness.start(program, "emit", topic=topic, users=1_000, messages=messages, many=many)
    with harness.running(command) as (process,):
        at, facts = process.line()
        ready = at if "ready" in facts else process.begin
        done = at
        if "emitted" not in facts:
            done, facts = process.line("emitted")
        process.wait()
    if not facts["emitted"] == harness.end(topic) == messages:
        raise Failed(f"wrong result: {harness.end(topic):,} of {messages:,} clicks in the topic")
    return _figures([process], ready, done, messages)


def _load(what: tuple, harness: Harness, program: Program) -> Figures:
    topic = _fill(harness, program, what)
    requests = max(1_000, topic.messages // 50)
    command = harness.start(program, "serve", table=topic.name, state=harness.state())
    with harness.running(command) as (server,):
        _, facts = server.line("port")
        probe = [*python("probe"), "load", "--rate", str(facts["port"])]
        probe += ["--users", str(topic.users), "--messages", str(requests)]
        with harness.running(probe) as (prober,):
            ready, _ = prober.line("ready")
            done, facts = prober.line("answered")
            prober.wait()
        server.terminate()
        server.wait()
    return _figures([server], ready, done, facts["answered"])


def _several(number: int, what: tuple, harness: Harness, program: Program) -> Figures:
    """Processors of one group, started at once; done when the group has committed all."""
    topic, group = _fill(harness, program, what), harness.name("group")
    where = {"topic": topic.name, "group": group, "messages": 0, "commit": 0.5}
    if program.name == "Goka":  # its processors fail where two create the table at once
        harness.create(program.table.format(group=group), table=True)
    commands = [
        harness.start(program, "count", state=harness.state(), **where) for _ in range(number)
    ]
    with harness.running(*commands) as processes:
        ready = min(process.line()[0] for process in processes)
        done = harness.await_committed(group, topic.name, topic.messages)
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
    _check_table(harness, program, group, topic)
    return _figures(processes, ready, done, topic.messages)
