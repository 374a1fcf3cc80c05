"""Every table of the metrics on a study of 10 000 records of 100 evaluations.

``python -m tests.benchmarks.tables``; the study is that of `tests.benchmarks.simulated`
and is not timed, imports that a table needs are.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hpo_vs_adapt.metrics.costs.bills import arm_bills, reference_ratios
from hpo_vs_adapt.metrics.costs.break_even import break_even_table
from hpo_vs_adapt.metrics.costs.break_even_curves import (
    failure_price_curves,
    retraining_curves,
)
from hpo_vs_adapt.metrics.costs.paired import paired_ratios
from hpo_vs_adapt.metrics.costs.ranking import ranking
from hpo_vs_adapt.metrics.costs.workers import bills_by_workers
from hpo_vs_adapt.metrics.sensitivity.dimensions import dimension_table
from hpo_vs_adapt.metrics.sensitivity.importances import hyperparameter_importances
from hpo_vs_adapt.metrics.sensitivity.sensitivity_numbers import (
    knob_table,
    sensitivity_numbers,
)
from hpo_vs_adapt.metrics.sensitivity.sensitivity_plane import adkins_plane
from hpo_vs_adapt.metrics.sensitivity.surrogate import partial_dependence
from hpo_vs_adapt.metrics.sensitivity.sweeps import sweep_table
from hpo_vs_adapt.metrics.suites.across import across_workloads, budget_profiles
from hpo_vs_adapt.metrics.suites.pairwise import improvement
from hpo_vs_adapt.metrics.targets.difficulty import target_sweep
from hpo_vs_adapt.metrics.targets.retargeting import retarget
from hpo_vs_adapt.metrics.tuners.arm_tuning import best_of_k_table, tunability_table
from hpo_vs_adapt.metrics.tuners.tuning_curves import tuning_tables
from hpo_vs_adapt.metrics.uncertainty.arm_survival import (
    restricted_mean_table,
    survival_table,
)
from hpo_vs_adapt.metrics.uncertainty.interquartile import iqm_across, iqm_table
from hpo_vs_adapt.metrics.uncertainty.power import seeds_needed
from tests.benchmarks.simulated import (
    BUDGETS,
    MODES,
    REFERENCE,
    TARGETS,
    Simulated,
    make_study,
)

SECONDS = 20
GIGABYTES = 2


@dataclass(frozen=True, slots=True)
class Seconds:
    """What a table took.

    Args:
        wall: By the clock, other programs included.
        busy: Of the processors, by this one alone.
    """

    wall: float
    busy: float


class Tables:
    """The tables of a study, timed as they are made.

    Args:
        study: What was found.
    """

    def __init__(self, study: Simulated) -> None:
        self._study = study
        self.seconds: dict[str, Seconds] = {}

    def make(self, name: str, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """Make one table, and print how long it took."""
        started, busy = time.perf_counter(), time.process_time()
        table = make()
        took = Seconds(time.perf_counter() - started, time.process_time() - busy)
        self.seconds[name] = took
        print(f"{name:<24}{took.wall:>8.2f} s{took.busy:>8.2f} s{len(table):>8} rows")
        return table

    def make_all(self) -> None:
        """Make every table."""
        self._make_bills()
        self._make_sweeps()
        records, curves = self._study.records, self._study.curves
        self.make("retarget", lambda: retarget(records, curves, TARGETS, MODES))
        self.make("target_sweep", lambda: target_sweep(records, curves, MODES, TARGETS))
        self.make(
            "tuning_tables",
            lambda: pd.concat(tuning_tables(records, curves, MODES, BUDGETS)),
        )
        self._make_trials()
        self.make("seeds_needed", lambda: seeds_needed(records, reference=REFERENCE))

    def _make_trials(self) -> None:
        records = self._study.records
        self.make("best_of_k", lambda: best_of_k_table(records, MODES))
        self.make("tunability", lambda: tunability_table(records, MODES))
        self.make("dimensions", lambda: dimension_table(records, MODES))
        self.make("iqm", lambda: iqm_table(records, MODES))
        self.make("iqm_across", lambda: iqm_across(records, MODES))
        self.make("survival", lambda: survival_table(records))
        self.make("restricted_means", lambda: restricted_mean_table(records, BUDGETS))

    def _make_bills(self) -> None:
        records = self._study.records
        bills = self.make("arm_bills", lambda: arm_bills(records, modes=MODES))
        self.make("reference_ratios", lambda: reference_ratios(records, REFERENCE))
        self.make("paired_ratios", lambda: paired_ratios(records, REFERENCE))
        self.make("ranking", lambda: ranking(records, REFERENCE, MODES))
        self.make(
            "across_workloads", lambda: across_workloads(bills, BUDGETS, REFERENCE)
        )
        self.make("budget_profiles", lambda: budget_profiles(bills, BUDGETS))
        self.make("improvement", lambda: improvement(records))
        workers = self.make("bills_by_workers", lambda: bills_by_workers(records))
        self.make("break_even_table", lambda: break_even_table(records, bills, workers))
        runs = np.arange(51)
        self.make("retraining_curves", lambda: retraining_curves(bills, runs))
        prices = np.linspace(0, 1, 51)
        self.make("failure_price_curves", lambda: failure_price_curves(records, prices))

    def _make_sweeps(self) -> None:
        records, curves = self._study.records, self._study.curves
        self.make("sweep_table", lambda: sweep_table(records))
        self.make(
            "sensitivity_numbers", lambda: sensitivity_numbers(records, curves, MODES)
        )
        self.make("knob_table", lambda: knob_table(records, curves, MODES))
        self.make("adkins_plane", lambda: adkins_plane(records, MODES))
        self.make("importances", lambda: hyperparameter_importances(records, MODES))
        self.make("partial_dependence", lambda: partial_dependence(records, MODES))


def _gigabytes() -> float:
    """Return the largest memory that the process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    """Time all tables, and print what they took beside what they may take."""
    study = make_study()
    print(
        f"Tables of {len(study.records)} records, {len(study.curves)} evaluations; "
        f"{_gigabytes():.2f} GB before\n{'':<24}{'clock':>10}{'processor':>10}"
    )
    tables = Tables(study)
    tables.make_all()
    wall = sum(took.wall for took in tables.seconds.values())
    busy = sum(took.busy for took in tables.seconds.values())
    print(f"{'all':<24}{wall:>8.2f} s{busy:>8.2f} s (aim: {SECONDS} s by the clock)")
    print(f"{'most memory':<24}{_gigabytes():>8.2f} GB (aim: {GIGABYTES})")


if __name__ == "__main__":
    main()
