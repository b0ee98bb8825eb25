"""What the benchmarks say of their runs: medians, ratios, tables, the plot, the baseline."""

from __future__ import annotations

import json
from argparse import Namespace
from collections import Counter
from xml.etree import ElementTree

import pytest

from benchmarks import __main__ as command
from benchmarks import jobs, profiling, programs, report
from benchmarks.harness import Failed, Figures, Filled, clicks_of
from benchmarks.peers.bare import drawn, in_turn
from benchmarks.report import Outcome


def figures(rate: float = 0.0, wall: float = 1.0, **more: float) -> Figures:
    return Figures(wall=wall, steady=wall, cpu=0.5, memory=100_000_000, rate=rate, more=more)


def outcome(measure: str = "rate", **runs: list[Figures]) -> Outcome:
    """A case with these runs of each program, by round."""
    found = Outcome("a", "count & sum", measure, "clicks/s")
    found.runs = {name: dict(enumerate(each)) for name, each in runs.items()}
    return found


def test_a_spread_is_the_median_and_the_range() -> None:
    assert report.spread([3.0, 1.0, 2.0], "{:.1f}".format) == "2.0 (1.0 to 3.0)"
    assert report.spread([3.0], "{:.1f}".format) == "3.0"


def test_ratios_compare_runs_of_the_same_round() -> None:
    found = outcome(limit=[figures(200), figures(400)], clicklib=[figures(100), figures(100)])
    assert found.ratios("clicklib", "limit") == [0.5, 0.25]
    del found.runs["limit"][0]
    assert found.ratios("clicklib", "limit") == [0.25]
    assert found.ratios("clicklib", "Goka") == []


def test_less_time_is_more_speed() -> None:
    by_wall = outcome("wall", clicklib=[figures(wall=2)], Goka=[figures(wall=1)])
    assert by_wall.ratios("Goka", "clicklib") == [2.0]
    slow, quick = figures(median=0.004, p99=0.01), figures(median=0.002, p99=0.03)
    by_latency = outcome("latency", clicklib=[slow], Goka=[quick])
    assert by_latency.ratios("Goka", "clicklib") == [2.0]


def test_a_table_has_a_line_for_each_program() -> None:
    found = outcome(limit=[figures(2_000)], clicklib=[figures(1_000)])
    found.reasons["Goka"] = "wrong result: 9 of 10 clicks counted"
    assert report.table(found) == [
        ["", "clicks/s", "to clicklib", "to the limit", "wall, s", "CPU, s", "peak, MB"],
        ["limit", "2,000", "2.00", "1.00", "1.0", "0.5", "100"],
        ["clicklib", "1,000", "1.00", "0.50", "1.0", "0.5", "100"],
        ["Goka", "none", "", "", "", "", ""],
    ]
    assert report.notes(found) == ["- Goka has none: wrong result: 9 of 10 clicks counted"]


def test_a_table_of_times_and_one_of_latencies() -> None:
    by_wall = report.table(outcome("wall", clicklib=[figures(wall=2.5)]))
    assert (by_wall[0][1], by_wall[1][1]) == ("seconds until ready", "2.50")
    by_latency = report.table(outcome("latency", clicklib=[figures(median=0.004, p99=0.0125)]))
    assert by_latency[1][1] == "4.0 / 12.5"


def test_the_results_name_machine_settings_and_who_was_left_out() -> None:
    ready, _ = programs.set_up(["clicklib", "limit"])
    text = report.results(
        [outcome(clicklib=[figures(1_000)])], ready, {"Goka": "no Go"}, report.machine()
    )
    assert "## (a) count & sum, clicks/s" in text
    assert f"| clicklib | {ready['clicklib'].version} | " in text
    assert "- Goka: no Go" in text
    assert "| processor |" in text


def test_every_line_of_a_table_has_as_many_cells() -> None:
    text = report.markdown(report.table(outcome(limit=[figures(2)], clicklib=[figures(1)])))
    assert {line.count("|") for line in text.splitlines()} == {8}


def test_bars_are_as_long_as_the_programs_are_fast() -> None:
    found = outcome(limit=[figures(400)], clicklib=[figures(100), figures(200), figures(300)])
    drawing = ElementTree.fromstring(report.plot([found, outcome()]))
    bars = [
        int(element.attrib["width"])
        for element in drawing.iter("{http://www.w3.org/2000/svg}rect")
        if element.attrib["fill"] in report.COLORS.values()
    ]
    assert len(bars) == 2
    assert bars[1] == bars[0] / 2
    words = [element.text for element in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert "(a) count & sum, clicks/s" in words


def test_the_best_run_of_each_counts() -> None:
    found = outcome(
        limit=[figures(200), figures(400)], clicklib=[figures(100), figures(300), figures(10)]
    )
    assert report.best_ratio(found) == 0.75


def test_a_ratio_may_fall_by_a_third_and_no_more() -> None:
    baseline = {"a": 0.6, "b": 0.3}
    assert report.complaints({"a": 0.41, "b": 0.5}, baseline) == []
    (said,) = report.complaints({"a": 0.39, "b": 0.3}, baseline)
    assert said == "(a) fell to 0.39 of the limit, from 0.60"
    (said,) = report.complaints({"a": 0.6}, baseline)
    assert said == "(b) has no ratio; the baseline has 0.30"


def test_the_baseline_covers_the_quick_jobs_at_their_size() -> None:
    baseline = json.loads(command.BASELINE.read_text("utf-8"))
    assert baseline["messages"] == command.QUICK["messages"]
    assert set(baseline["ratios"]) == set(str(command.QUICK["jobs"]).split(","))


def test_every_job_has_its_cases() -> None:
    cases = jobs.cases(1_000_000, rounds=3)
    assert Counter(case.job for case in cases) == Counter("abcdeefffghiijjjkkkkkklllm")
    assert all(set(case.programs) <= set(programs.MAKERS) for case in cases)


@pytest.mark.parametrize("draw", ["uniform", "zipf"])
def test_a_topic_is_filled_alike_at_each_run(draw: str) -> None:
    clicks = [key for part in (0, 1) for key, _ in drawn(filling(draw, part))]
    assert len(clicks) == 30_000
    assert clicks == [key for part in (0, 1) for key, _ in drawn(filling(draw, part))]
    first, tenth = Counter(clicks)[b"user-0"], Counter(clicks)[b"user-9"]
    assert first > 5 * tenth if draw == "zipf" else first < 2 * tenth


def test_the_rows_of_a_table_count_up() -> None:
    rows = [row for part in (0, 1) for row in drawn(filling("table", part))]
    assert len(rows) == 30_000
    assert len(dict(rows)) == 100
    assert set(dict(rows).values()) == {b'{"Clicks":300}'}
    assert [value for key, value in rows if key == b"user-7"][:2] == [
        b'{"Clicks":1}',
        b'{"Clicks":2}',
    ]


def filling(draw: str, part: int) -> Namespace:
    return options(draw=draw, messages=30_000, users=100, parts=2, part=part)


def options(**values: object) -> Namespace:
    return Namespace(**values)


def test_emitted_clicks_are_of_each_user_in_turn() -> None:
    keys = [key for key, _ in in_turn(options(messages=5, users=2))]
    assert keys == [b"user-0", b"user-1", b"user-0", b"user-1", b"user-0"]


def test_flags_of_the_contract_and_of_goka() -> None:
    asked = {"topic": "t", "group": "g", "state": "s", "messages": 5, "exactly-once": False}
    assert programs.flags("count", asked) == [
        *("count", "--topic", "t", "--group", "g", "--state", "s", "--messages", "5")
    ]
    assert programs.flags("count", {"latency": True}) == ["count", "--latency"]
    assert programs.goka_flags("count", {**asked, "latency": True}) == [
        *("processor", "-oldest", "-acks", "all"),
        *("-topic", "t", "-group", "g", "-storage", "s", "-count", "5"),
    ]


def test_a_row_of_any_peer_is_read() -> None:
    assert (clicks_of(b'{"Clicks":7}'), clicks_of(b"7")) == (7, 7)


class Fake:
    """A harness whose tables and offsets are as given."""

    def __init__(self, clicks: int, committed: int) -> None:
        self.clicks, self.offsets = clicks, committed

    def table(self, topic: str) -> tuple[int, int]:
        return 1, self.clicks

    def committed(self, group: str, topic: str) -> int:
        return self.offsets


@pytest.mark.parametrize(("clicks", "committed"), [(9, 10), (11, 10), (10, 9)])
def test_a_wrong_result_is_no_result(clicks: int, committed: int) -> None:
    program, topic = programs.clicklib(), Filled("t", 10, 1)
    with pytest.raises(Failed, match="wrong result"):
        jobs._check_table(Fake(clicks, committed), program, "g", topic)  # type: ignore[arg-type]
    jobs._check_table(Fake(10, 10), program, "g", topic)  # type: ignore[arg-type]


def test_a_failed_run_takes_the_programs_other_runs_with_it() -> None:
    def run(harness: object, program: programs.Program) -> Figures:
        rounds.append(program.name)
        if program.name == "clicklib" and len(rounds) > 2:
            raise Failed("wrong result: 9 of 10")
        return figures(100)

    rounds: list[str] = []
    case = jobs.Case("a", "count", ["limit", "clicklib"], run, rounds=2)
    ready, _ = programs.set_up(case.programs)
    told: list[str] = []
    found = command.measure(None, case, ready, told.append)  # type: ignore[arg-type]
    assert rounds == ["limit", "clicklib", "clicklib", "limit"]
    assert told[:2] == ["(a) count: limit", "(a) count: clicklib"]
    assert found.reasons == {"clicklib": "wrong result: 9 of 10"}
    assert set(found.runs) == {"limit"}


def test_a_profile_names_threads_and_functions() -> None:
    stacks = """\
thread (7): worker g 0;run (a.py:1);step (b.py:10) 3
thread (8): worker g 1;run (a.py:2);step (b.py:11) 5
thread (9): flusher;send (c.py:4) 2"""
    text = profiling.summary(stacks)
    assert " 80.0  worker g\n     80.0  80.0  step (b.py)" in text
    assert " 20.0  flusher\n     20.0  20.0  send (c.py)" in text
