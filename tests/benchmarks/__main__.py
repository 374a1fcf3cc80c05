"""Benchmarks, as ratios within one run: ``make bench``.

Every way of training the grid runs in a process of its own, which starts as a user's
would. Start-up is the import of the libraries; for packs also what a grid of one point
takes (Ray, its workers, one trial), which is taken off the time of the whole grid.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

from hpo_vs_adapt.tables.provenance import read_provenance
from tests.benchmarks import grid

REPEATS = {"packs": 3, "start": 3, "python": 3, "optuna": 3, "ray": 1}
"""Runs of each way, taken in turn; the quickest counts. Ray's takes minutes."""

TITLES = {
    "packs": "packs",
    "python": "a plain Python loop, torch.optim",
    "optuna": "Optuna's study.optimize",
    "ray": "Ray Tune with OptunaSearch",
}

_CODE = """
import json, sys, time
begun = time.perf_counter()
from tests.benchmarks import grid
imports = time.perf_counter() - begun
print(json.dumps({"imports": imports, "seconds": grid.WAYS[sys.argv[1]]()}))
"""


def measure(way: str) -> dict[str, float]:
    """Run one way in a process of its own; return its times in seconds."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _CODE, way],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        text=True,
    )
    whole = time.perf_counter() - started
    return {**json.loads(done.stdout.splitlines()[-1]), "whole": whole}


def quickest(runs: list[dict[str, float]]) -> dict[str, float]:
    """Return the least of each time: what else the machine does only adds to it."""
    return {name: min(run[name] for run in runs) for name in runs[0]}


def main() -> None:
    """Time a grid in every way, optimizers' steps, a study's tables and reports."""
    time_grid()
    # In processes of their own: the memory of one is not that of the next.
    for part in ("front_end", "tables", "reports"):
        code = f"from tests.benchmarks import {part}; {part}.main()"
        subprocess.run([sys.executable, "-c", code], check=True)


def time_grid() -> None:
    """Time the grid in every way and print the ratios."""
    print(
        f"{grid.POINTS}-point lr grid on digits_mlp, {grid.EPOCHS} epochs, batch "
        f"{grid.BATCH_SIZE}, one evaluation an epoch; {read_provenance()['hardware']}"
    )
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in grid.WAYS}
    for turn in range(max(REPEATS.values())):
        for way in (way for way in grid.WAYS if turn < REPEATS[way]):
            runs[way].append(measure(way))
            print(f"  run {turn + 1}: {way} {runs[way][-1]['whole']:.1f} s", flush=True)
    times = {way: quickest(results) for way, results in runs.items()}
    startup = {way: times[way]["imports"] for way in TITLES}
    startup["packs"] += times["start"]["seconds"]
    training = {way: times[way]["seconds"] for way in TITLES}
    training["packs"] -= times["start"]["seconds"]
    print(f"\n{'':<34}{'trials/s':>9}{'start-up':>10}{'whole command':>15}")
    for way, title in TITLES.items():
        rate = grid.POINTS / training[way]
        whole = times[way]["whole"]
        print(f"{title:<34}{rate:>9.1f}{startup[way]:>8.1f} s{whole:>13.1f} s")
    print("\nPacks are")
    for way in ("python", "optuna"):
        ratio = training[way] / training["packs"]
        print(f"  {ratio:.1f} x as fast as {TITLES[way]}, after start-up (aim: 2.5)")
    ratio = times["ray"]["whole"] / times["packs"]["whole"]
    print(f"  {ratio:.1f} x as fast as {TITLES['ray']}, whole commands (aim: 10)")


if __name__ == "__main__":
    main()
