"""What the runs say: medians and ratios, as a table, a plot and RESULTS.md. No run happens here."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import psutil

from benchmarks.harness import Figures
from benchmarks.programs import Program

__all__ = [
    "Outcome",
    "best_ratio",
    "complaints",
    "machine",
    "notes",
    "plot",
    "results",
    "spread",
    "table",
]

OURS, LIMIT = "clicklib", "limit"
COLORS = {
    LIMIT: "#9aa0a6",
    OURS: "#1a73e8",
    "Goka": "#00897b",
    "Kafka Streams": "#e8710a",
    "quixstreams": "#9334e6",
    "faust": "#d01884",
}


@dataclass
class Outcome:
    """All runs of one case: the figures of each program by round, or why it has none.

    `measure` says what is compared: `rate`, `wall` (a time), or `latency`.
    """

    job: str
    title: str
    measure: str
    unit: str
    runs: dict[str, dict[int, Figures]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def speed(self, figures: Figures) -> float:
        """How fast a run was; more is better."""
        if self.measure == "rate":
            return figures.rate
        return 1 / (figures.wall if self.measure == "wall" else figures.more["median"])

    def ratios(self, name: str, to: str) -> list[float]:
        """The program's speed in proportion to another's, for each round that both have."""
        mine, others = self.runs.get(name, {}), self.runs.get(to, {})
        return [self.speed(mine[r]) / self.speed(others[r]) for r in sorted(mine) if r in others]


def spread(values: Sequence[float], show: Callable[[float], str]) -> str:
    """The median, and the range where there is more than one value."""
    middle = show(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({show(min(values))} to {show(max(values))})"


def row(outcome: Outcome, name: str) -> list[str]:
    """A program's line in the table of a case."""
    if name in outcome.reasons:
        return [name, "none", *[""] * 5]
    runs = list(outcome.runs[name].values())
    if outcome.measure == "latency":
        result = "{} / {}".format(
            *(
                spread([run.more[what] * 1000 for run in runs], "{:.1f}".format)
                for what in ("median", "p99")
            )
        )
    elif outcome.measure == "rate":
        result = spread([run.rate for run in runs], "{:,.0f}".format)
    else:
        result = spread([run.wall for run in runs], "{:.2f}".format)
    proportions = [outcome.ratios(name, to) for to in (OURS, LIMIT)]
    return [
        name,
        result,
        *("" if not found else spread(found, "{:.2f}".format) for found in proportions),
        spread([run.wall for run in runs], "{:.1f}".format),
        spread([run.cpu for run in runs], "{:.1f}".format),
        spread([run.memory / 1e6 for run in runs], "{:.0f}".format),
    ]


def table(outcome: Outcome) -> list[list[str]]:
    """The table of a case, its head first."""
    what = {
        "rate": outcome.unit,
        "wall": "seconds until ready",
        "latency": "median / 99th percentile, ms",
    }[outcome.measure]
    head = ["", what, "to clicklib", "to the limit", "wall, s", "CPU, s", "peak, MB"]
    names = [name for name in COLORS if name in outcome.runs or name in outcome.reasons]
    return [head, *(row(outcome, name) for name in names)]


def notes(outcome: Outcome) -> list[str]:
    """Why programs have no figures, a line each."""
    return [f"- {name} has none: {why}" for name, why in outcome.reasons.items()]


def markdown(rows: list[list[str]]) -> str:
    head, *body = rows
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def plain(rows: list[list[str]]) -> str:
    """The same for a terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        for cells in rows
    )


def plot(outcomes: Sequence[Outcome]) -> str:
    """The medians as bars, a group for each case, in SVG; longer is faster in every group."""
    left, width, high, parts = 130, 460, 15, []
    y = 10
    for outcome in outcomes:
        speeds = {
            name: statistics.median(map(outcome.speed, outcome.runs[name].values()))
            for name in COLORS
            if name in outcome.runs
        }
        if not speeds:
            continue
        y += 22
        parts.append(f'<text x="8" y="{y}" class="title">{escape(title(outcome))}</text>')
        y += 6
        for name, speed in speeds.items():
            length = max(1, round(width * speed / max(speeds.values())))
            label = row(outcome, name)[1].partition(" (")[0]
            if outcome.measure == "latency":
                label = f"{1000 / speed:.1f} ms"
            elif outcome.measure == "wall":
                label += " s"
            parts += [
                f'<text x="{left - 6}" y="{y + 11}" text-anchor="end">{escape(name)}</text>',
                f'<rect x="{left}" y="{y}" width="{length}" height="12" fill="{COLORS[name]}"/>',
                f'<text x="{left + length + 5}" y="{y + 11}">{escape(label)}</text>',
            ]
            y += high
    style = "text{font:11px sans-serif;fill:#202124}.title{font-weight:bold;font-size:12px}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="720" height="{y + 12}">'
        f"<style>{style}</style>"
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )


def title(outcome: Outcome) -> str:
    unit = outcome.unit if outcome.measure == "rate" else ""
    return f"({outcome.job}) {outcome.title}{f', {unit}' if unit else ''}"


def machine() -> dict[str, str]:
    """What the runs ran on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return {
        "processor": f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": platform.platform(terse=True),
        "Python": platform.python_version(),
    }


HEAD = """\
# Results

Written by `make bench`{when}.

Seconds and rates are this machine's own; the ratios are what to compare. Each figure is the median
of the rounds, with the range in brackets. The programs ran in turn, forwards in one round and
backwards in the next, over the same topics on one local Kafka, each run in a process of its own. A
rate is counted from the moment that the program is ready (assigned, connected) until all is
counted, committed and closed; wall time is from the start of its process; CPU time and peak memory
(looked at each 0.05 s) are those of its processes. "To clicklib" and "to the limit" are ratios of
speed, more is faster. After each count the table was read by a bare consumer: the sum of its last
values was the number of clicks, and so was the sum of the committed offsets.

- The limit is a loop over `poll()` of kafka-python's consumer, or `send()` of its producer, and no
  more. clicklib decodes records by itself (`clicklib/client/batches.py`) and so can be above it.
- (d) asks until the view is running; its rows are then counted and summed. quixstreams has no view
  of a table that another program writes.
- (e) asks until a processor that has counted all, and ended, is ready once more.
- (f) is the time from `emit` until a view of clicklib's shows a count that includes the click; the
  program beside it only counts. Emitter and view are the same for all, and share a process. The
  first fifth of the clicks is left out.
- (h) is asked by 4 connections for rows drawn at random.
- (j) ends when the group's committed offsets are at the end of the topic, asked each 0.1 s.
- (l) is on a machine where the local Kafka ran before. The limit is Java alone, without the class
  archive, until Kafka's port answers. The CPU time of clicklib is without that of Kafka.
- (m) is `emit_many` of clicklib beside what the others do in (g).

![The medians as bars](results.svg)
"""


def results(
    outcomes: Sequence[Outcome],
    programs: Mapping[str, Program],
    left_out: Mapping[str, str],
    facts: Mapping[str, str],
    when: str = "",
) -> str:
    """The text of RESULTS.md."""
    parts = [HEAD.format(when=when)]
    for outcome in outcomes:
        parts += [f"## {title(outcome)}\n", markdown(table(outcome)) + "\n"]
        parts += [f"{note}\n" for note in notes(outcome)]
    parts += ["## Machine\n", markdown([["", ""], *map(list, facts.items())]) + "\n"]
    rows = [["", "version", "settings", "its own defaults, where they differ"]]
    rows += [[p.name, p.version, p.settings, p.defaults] for p in programs.values()]
    parts += ["## Programs\n", markdown(rows).replace("---:", "---") + "\n"]
    if left_out:
        parts += ["Left out:\n", *(f"- {name}: {why}" for name, why in left_out.items())]
    return "\n".join(parts).rstrip() + "\n"


def best_ratio(outcome: Outcome) -> float:
    """clicklib's best speed in proportion to the limit's best.

    A busy machine makes runs slower, hardly ever faster: the best of each are what it disturbs
    least.
    """
    ours, limit = (max(map(outcome.speed, outcome.runs[n].values())) for n in (OURS, LIMIT))
    return ours / limit


def complaints(found: Mapping[str, float], baseline: Mapping[str, float]) -> list[str]:
    """Which ratios fell by more than a third below the baseline, or are missing."""
    said = []
    for job, before in baseline.items():
        if job not in found:
            said.append(f"({job}) has no ratio; the baseline has {before:.2f}")
        elif found[job] < before * 2 / 3:
            said.append(f"({job}) fell to {found[job]:.2f} of the limit, from {before:.2f}")
    return said
