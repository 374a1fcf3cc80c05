"""Whole reports of simulated studies: ``python -m tests.benchmarks.reports``.

The studies are those of `tests.benchmarks.simulated`: all of it, and a tenth, of two
workloads and fewer arms. Timed is what ``report`` does once the records are read, each
in a process of its own: imports, tables, figures and files.
"""

from __future__ import annotations

import dataclasses
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hpo_vs_adapt.results import Results
from hpo_vs_adapt.study import Arm, Tune
from hpo_vs_adapt.tables.study_tables import (
    PROGRESS_COLUMNS,
    SPENDING_COLUMNS,
    StudyTables,
)
from tests.benchmarks.simulated import MODES, REFERENCE, TARGETS, Simulated, make_study
from tests.report import builder

SIZES = {"small": (1_000, 15), "large": (10_000, 60)}
"""Names of studies: about how many trials they have, and the aim in seconds."""

GIGABYTES = 2

_FEW = ("single-0", "single-1", "single-2", "single-3", "grid-0", "optuna-0")
"""Arms of the small study."""


def part_of(study: Simulated, name: str) -> Simulated:
    """Return the study of one of `SIZES`."""
    if name == "large":
        return study
    records = study.records
    few = records["workload"].isin(sorted(MODES)[:2]) & records["arm"].isin(_FEW)
    kept = records[few].reset_index(drop=True)
    return Simulated(kept, study.curves[study.curves["key"].isin(kept["key"])])


def as_results(study: Simulated) -> Results:
    """Return results of a finished study with these trials."""
    records = study.records
    arms = [
        _arm(str(name), str(kind), str(by))
        for (name, kind, by), _ in records.groupby(["arm", "kind", "by"], sort=False)
    ]
    entries = [
        builder.workload(
            str(name),
            TARGETS[str(name)],
            builder.ACCURACY if MODES[str(name)] == "max" else builder.LOSS,
        )
        for name in records["workload"].unique()
    ]
    place = ["workload", "arm", "role"]
    counts = records.groupby(place, sort=False).size()
    progress = counts.rename("planned").reset_index()
    spent = records.drop_duplicates("key").assign(purpose="training")
    one = builder.study(arms, entries, range(5), sweep=False)
    return Results(
        StudyTables(
            dataclasses.replace(one, reference=REFERENCE),
            records,
            study.curves,
            spent.reindex(columns=list(SPENDING_COLUMNS)),
            progress.assign(done=progress["planned"])[list(PROGRESS_COLUMNS)],
            {"hardware": "simulated"},
        )
    )


def _arm(name: str, kind: str, by: str) -> Arm:
    adapts = "rate" if kind == "adaptive" else "nothing"
    return Arm(name, "sgd", {}, None if by == "single" else Tune(by), adapts=adapts)


def write(name: str) -> None:
    """Write a report and print what it took; meant for a process of its own."""
    results = as_results(part_of(make_study(), name))
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        page = results.write_report(Path(folder))
        took = time.perf_counter() - started
        size = page.stat().st_size / 1e6
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    trials = len(results.records)
    print(
        f"{trials:>6} trials, {len(results.study.arms)} arms on "
        f"{len(results.study.workloads)} workloads: {took:.1f} s (aim: "
        f"{SIZES[name][1]}), page {size:.1f} MB, {memory:.1f} GB (aim: {GIGABYTES})"
    )


def main() -> None:
    """Write the reports of all sizes."""
    print("Reports of simulated studies, the simulation left out")
    for name in SIZES:
        subprocess.run([sys.executable, "-m", __spec__.name, name], check=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write(sys.argv[1])
    else:
        main()
