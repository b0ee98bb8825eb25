"""The soak and the kills in short: no click lost under random faults, or each counted once."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.support.long import cases


def run(module, cluster, file, *args):
    """Run a module that attacks a broker of its own; returns the figures that it wrote."""
    environment = {n: v for n, v in os.environ.items() if n not in ("CLICKLIB_HOME",)}
    done = subprocess.run(
        [sys.executable, "-m", module, *args, "--json", str(file)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return json.loads(file.read_text())


SEEDS = [("at_least_once", 26), ("exactly_once", 26)]


# With these seeds no broker is killed in the first half minute: other tests do that.
@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize(("guarantee", "seed"), SEEDS)
def test_half_a_minute_of_random_faults(cluster, tmp_path, guarantee, seed):
    args = ["--minutes", "0.5", "--guarantee", guarantee, "--rate", "1000"]
    args += ["--seed", str(seed)]
    figures = run("tests.soak", cluster, tmp_path / "figures.json", *args)
    assert figures["faults"]
    assert figures["acknowledged"] > 1_000
    if guarantee == "exactly_once":
        assert figures["acknowledged"] <= figures["counted"] <= figures["sent"]


@pytest.mark.timeout(200)
@cases("kills", [2], [10])
def test_kills_as_a_program(cluster, tmp_path, kills):
    args = ["--kills", str(kills), "--guarantee", "exactly_once"]
    figures = run("tests.kills", cluster, tmp_path / "figures.json", *args)
    assert figures["acknowledged"] == figures["counted"] > 100
