"""Measure clicklib beside its peers and beside what the bare client can do.

make bench                            all jobs, all peers; writes benchmarks/RESULTS.md
make bench-quick                      fails if clicklib got slower in proportion to the limit
python -m benchmarks --jobs a,d --peers clicklib,Goka --messages 50000 --rounds 1
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from benchmarks import profiling, programs, report
from benchmarks.harness import Failed, Harness
from benchmarks.jobs import Case, cases
from benchmarks.programs import BUILD, Program
from benchmarks.report import Outcome

BASELINE = Path(__file__).with_name("baseline.json")
QUICK = {"jobs": "a,b,d,g,m", "peers": "limit,clicklib", "messages": 400_000, "rounds": 4}
FULL = {"jobs": "", "peers": ",".join(programs.MAKERS), "messages": 1_000_000, "rounds": 2}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", help="letters, with commas between them; default: all")
    parser.add_argument("--peers", help=f"of {', '.join(programs.MAKERS)}; default: all")
    parser.add_argument("--messages", type=int, help="clicks of a backlog; default: 1,000,000")
    parser.add_argument("--rounds", type=int, help="how often each runs; default: 2")
    parser.add_argument("--into", type=Path, default=BUILD, help="where results are written")
    parser.add_argument("--quick", action="store_true", help="compare with the baseline")
    parser.add_argument("--save", action="store_true", help="with --quick: write the baseline")
    parser.add_argument("--profile", action="store_true", help="where job a spends its time")
    options = parser.parse_args()
    for name, value in (QUICK if options.quick else FULL).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def selected(options: argparse.Namespace) -> list[Case]:
    """The cases that were asked for, with their programs."""
    peers = options.peers.split(",")
    if unknown := set(peers) - set(programs.MAKERS):
        raise SystemExit(f"unknown peers: {', '.join(sorted(unknown))}")
    found = [
        replace(case, programs=[name for name in case.programs if name in peers])
        for case in cases(options.messages, options.rounds)
        if not options.jobs or case.job in options.jobs.split(",")
    ]
    return [case for case in found if case.programs]


def measure(
    harness: Harness, case: Case, ready: dict[str, Program], advance: Callable[[str], object]
) -> Outcome:
    """All rounds of a case: each program in turn, forwards and backwards.

    `advance` is told what runs next.
    """
    outcome = Outcome(case.job, case.title, case.measure, case.unit)
    for number in range(case.rounds):
        for name in case.programs if number % 2 == 0 else reversed(case.programs):
            advance(f"({case.job}) {case.title}: {name}")
            if name in ready and name not in outcome.reasons:
                try:
                    figures = case.run(harness, ready[name])
                    outcome.runs.setdefault(name, {})[number] = figures
                except Failed as reason:
                    outcome.reasons[name] = str(reason)
                    outcome.runs.pop(name, None)
    return outcome


def run(chosen: Sequence[Case], ready: dict[str, Program]) -> list[Outcome]:
    """Measure all cases over one fresh Kafka, and print the table of each as it is there."""
    outcomes = []
    total = sum(case.rounds * len(case.programs) for case in chosen)
    with Harness() as harness, tqdm(total=total, unit="run", leave=False, disable=None) as bar:

        def advance(what: str) -> None:
            bar.set_description(what)
            bar.update()

        for case in chosen:
            outcome = measure(harness, case, ready, advance)
            outcomes.append(outcome)
            with bar.external_write_mode(sys.stdout):
                lines = [report.title(outcome), report.plain(report.table(outcome))]
                print(*lines, *report.notes(outcome), "", sep="\n", flush=True)
    return outcomes


def check_baseline(options: argparse.Namespace, outcomes: Sequence[Outcome]) -> int:
    """Compare with the baseline or save it; the exit code."""
    ratios = {outcome.job: round(report.best_ratio(outcome), 3) for outcome in outcomes}
    if options.save:
        found = {"messages": options.messages, "ratios": ratios}
        BASELINE.write_text(json.dumps(found, indent=2) + "\n")
        return 0
    said = report.complaints(ratios, json.loads(BASELINE.read_text())["ratios"])
    for complaint in said:
        print(f"Slower than before: {complaint}")
    return 1 if said else 0


def main() -> int:
    options = parse()
    begin = time.monotonic()
    if options.profile:
        return profiling.profile(options.messages)
    chosen = selected(options)
    ready, left_out = programs.set_up({name: 0 for case in chosen for name in case.programs})
    for name, why in left_out.items():
        print(f"Left out: {name}. {why}")
    outcomes = run(chosen, ready)
    minutes = (time.monotonic() - begin) / 60
    print(f"{minutes:.1f} minutes")
    wrong = [o for o in outcomes if o.reasons.keys() & {report.OURS, report.LIMIT}]
    if wrong or options.quick:
        return 1 if wrong else check_baseline(options, outcomes)
    when = f" in {minutes:.0f} minutes on {time.strftime('%Y-%m-%d')}, Kafka 4.4.0"
    text = report.results(outcomes, ready, left_out, report.machine(), when)
    options.into.mkdir(parents=True, exist_ok=True)
    (options.into / "RESULTS.md").write_text(text)
    (options.into / "results.svg").write_text(report.plot(outcomes))
    print(f"Written: {options.into / 'RESULTS.md'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
