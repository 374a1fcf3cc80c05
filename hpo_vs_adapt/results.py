"""What a study has found: tidy tables of trials and curves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hpo_vs_adapt import metrics
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.tables.study_tables import (
    PROGRESS_COLUMNS,
    SPENDING_COLUMNS,
    TRIAL_COLUMNS,
    StudyTables,
)

__all__ = ["PROGRESS_COLUMNS", "SPENDING_COLUMNS", "TRIAL_COLUMNS", "Results"]


@dataclass(frozen=True)
class Results:
    """The trials that exist of a study, and all that is made of them.

    Args:
        given: What the records say.
    """

    given: StudyTables

    @property
    def study(self) -> Study:
        """As it was run."""
        return self.given.study

    @property
    def records(self) -> pd.DataFrame:
        """One row a trial of a stream, columns `TRIAL_COLUMNS`."""
        return self.given.records

    @property
    def curves(self) -> pd.DataFrame:
        """One row an evaluation: `key` and the columns of the curves.

        What one rule logs and another does not is NaN.
        """
        return self.given.curves

    @property
    def spending(self) -> pd.DataFrame:
        """What each record was spent on, columns `SPENDING_COLUMNS`."""
        return self.given.spending

    @property
    def progress(self) -> pd.DataFrame:
        """Trials per workload, arm and role, columns `PROGRESS_COLUMNS`."""
        return self.given.progress

    @property
    def provenance(self) -> dict[str, str]:
        """Versions, revision and hardware, as in ``summary.json``."""
        return self.given.provenance

    @property
    def modes(self) -> dict[str, str]:
        """``max`` or ``min`` for the metric of each workload."""
        return self.given.modes

    @property
    def targets(self) -> dict[str, float]:
        """The target on each workload, in the unit of its metric."""
        return self.given.targets

    @property
    def batch_sizes(self) -> dict[str, int]:
        """The batch size that each workload is trained with, but in sweeps of it."""
        return self.given.batch_sizes

    @property
    def trainings(self) -> dict[str, float]:
        """What one ordinary training costs on each workload, in sample gradients."""
        return self.given.trainings

    def costs(self, failure_price: float = 1.0) -> pd.DataFrame:
        """Return the bill of every arm on every workload.

        Args:
            failure_price: Share of its cost that a trial that misses is charged.
        """
        from hpo_vs_adapt.tables.bills import make_bills

        return make_bills(self.given, failure_price)

    def ranking(self, failure_price: float = 1.0) -> pd.DataFrame:
        """Return all arms by their bills, with rank intervals and hidden tuning."""
        from hpo_vs_adapt.tables.origins import find_origins

        return metrics.ranking(
            self.records,
            self.study.reference,
            self.modes,
            find_origins(self.study),
            progress=self.progress,
            kinds={arm.name: arm.kind for arm in self.study.arms},
            failure_price=failure_price,
        )

    def across_workloads(self) -> pd.DataFrame:
        """Return profile scores, data profiles and mean ratios of every arm."""
        known = self.costs()
        known = known[known["workload"].isin(self.trainings)]
        return metrics.across_workloads(known, self.trainings, self.study.reference)

    def improvement(self) -> pd.DataFrame:
        """Return the probability of every arm to be cheaper than every other."""
        return metrics.improvement(self.records)

    def by_workers(self, failure_price: float = 1.0) -> pd.DataFrame:
        """Return latency and bill of every arm with several workers at once."""
        return metrics.bills_by_workers(self.records, failure_price=failure_price)

    def break_even(self) -> pd.DataFrame:
        """Return when tuning pays: further trainings, cheaper failures, workers."""
        return metrics.break_even_table(self.records, self.costs(), self.by_workers())

    def target_sweep(self, points: int = 20) -> pd.DataFrame:
        """Return bills and ranks from an easy target to the hardest met."""
        return metrics.target_sweep(
            self.records, self.curves, self.modes, self.targets, points
        )

    def sensitivity(self) -> pd.DataFrame:
        """Return in numbers how much each swept arm depends on its learning rate."""
        return metrics.sensitivity_numbers(self.records, self.curves, self.modes)

    def knobs(self) -> pd.DataFrame:
        """Return the same numbers for the other settings that were swept."""
        return metrics.knob_table(self.records, self.curves, self.modes)

    def importances(self) -> pd.DataFrame:
        """Return how much each tuned hyperparameter mattered."""
        return metrics.hyperparameter_importances(self.records, self.modes)

    def partial_dependence(self) -> pd.DataFrame:
        """Return which way each tuned hyperparameter pulls the metric."""
        return metrics.partial_dependence(self.records, self.modes)

    def tuning_curves(self) -> pd.DataFrame:
        """Return the best value so far of every arm against all that it has spent."""
        return metrics.tuning_curves(self.records, self.curves, self.modes)

    def best_probability(self) -> pd.DataFrame:
        """Return each arm's probability to have the best value for so much spending."""
        return metrics.best_probability(self.records, self.curves, self.modes)

    def best_of_k(self) -> pd.DataFrame:
        """Return what the best of k trials of every tuned arm is, with its band."""
        return metrics.best_of_k_table(self.records, self.modes, self.given.bounds)

    def tunability(self) -> pd.DataFrame:
        """Return how good every tuned arm's search is early, on the whole, and late."""
        return metrics.tunability_table(self.records, self.modes)

    def effective_dimension(self) -> pd.DataFrame:
        """Return how many of each arm's settings are worth tuning, and which."""
        return metrics.dimension_table(self.records, self.modes, self.batch_sizes)

    def iqm(self) -> pd.DataFrame:
        """Return the interquartile mean of what each arm's trainings reach."""
        return metrics.iqm_table(self.records, self.modes)

    def iqm_across(self) -> pd.DataFrame:
        """Return the same over all workloads, as scores on one scale."""
        return metrics.iqm_across(self.records, self.modes)

    def survival(self) -> pd.DataFrame:
        """Return the share of every arm's trials that have not met the target yet."""
        return metrics.survival_table(self.records)

    def restricted_means(self) -> pd.DataFrame:
        """Return each trial's mean cost to the target, or of one ordinary training."""
        return metrics.restricted_mean_table(self.records, self.trainings)

    def curve_grid(
        self, workload: str, arm: str, role: str = "policy"
    ) -> metrics.CurveGrid:
        """Return an arm's curves for `metrics.replay_tuner`.

        Args:
            workload: Label of the workload.
            arm: Name of the arm.
            role: ``policy`` for the trials of a grid, ``sweep`` for those of a sweep.
        """
        return metrics.CurveGrid.from_records(
            self.records, self.curves, workload, arm, self.modes[workload], role
        )

    def seeds_needed(self, ratio: float = 1.1, power: float = 0.8) -> pd.DataFrame:
        """Return how many seeds tell an arm's bill from the reference's by a ratio."""
        return metrics.seeds_needed(
            self.records, ratio, power, reference=self.study.reference
        )

    def summary(self) -> dict[str, Any]:
        """Return what ``summary.json`` holds."""
        from hpo_vs_adapt.report import make_summary

        return make_summary(self.given)

    def write_report(
        self, directory: str | Path, tell: Callable[[str], object] | None = None
    ) -> Path:
        """Write the report into a folder and return the path of its page.

        Args:
            directory: Made if it is not there.
            tell: Called with what is made next, such as ``figures of digits_mlp``.
        """
        from hpo_vs_adapt.report import write_report

        return write_report(self.given, Path(directory), tell)
