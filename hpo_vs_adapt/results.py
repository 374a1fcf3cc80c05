"""What a study has found: tidy tables of trials and curves."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hpo_vs_adapt import metrics
from hpo_vs_adapt.study import Study

__all__ = ["PROGRESS_COLUMNS", "SPENDING_COLUMNS", "TRIAL_COLUMNS", "Results"]

TRIAL_COLUMNS = (
    "workload",  # label of the workload in the study
    "arm",
    "kind",  # tuned, adaptive, fixed
    "by",  # grid, random, optuna, portfolio; single for arms without `tune`
    "role",  # policy: in the bill; retrain: the winner again; sweep: sensitivity
    "stream",  # tuner seed (policy and retrain of tuned arms); -1 elsewhere
    "number",  # of the trial in its Optuna study, from 0
    "key",  # of the record; rows may share one
    "rule",
    "settings",  # dict: what the trial was given, batch size apart
    "batch_size",
    "seed",  # training seed
    "end",  # EndReason
    "failed",  # diverged or crashed
    "hit",  # the target was met
    "cost",  # all that is charged, in sample gradients
    "cost_to_target",  # at the first crossing; inf: never
    "sustained_cost",  # at the first of two evaluations in a row; inf: never
    "cost_before_target",  # last cost known to be below the target
    "lost",  # what had to be done twice, with a worker that was lost; in every cost
    "best_metric",  # best validation metric of all evaluations
    "final_metric",  # validation metric of the last evaluation
    "test_metric",  # at the evaluation with the best validation metric
    "sample_gradients",
    "forward_samples",
    "steps",
    "flops",
    "seconds",
    "amortised",  # its seconds were shared with other lanes
    "error",
)
"""Columns of `Results.records`, one row a trial of a stream."""

SPENDING_COLUMNS = (
    "key",  # of the record
    "purpose",  # ledger.Purpose
    "sample_gradients",
    "forward_samples",
    "cost",  # of both, in sample gradients; evaluation too, which no bill counts
    "flops",
    "seconds",
)
"""Columns of `Results.spending`, one row for each purpose of a record."""

PROGRESS_COLUMNS = ("workload", "arm", "role", "planned", "done")
"""Columns of `Results.progress`."""


@dataclass(frozen=True)
class Results:
    """The trials that exist of a study.

    Args:
        study: As it was run.
        records: One row a trial of a stream, columns `TRIAL_COLUMNS`.
        curves: One row an evaluation: `key` and the columns of the curves; what one
            rule logs and another does not is NaN.
        spending: What each record was spent on, columns `SPENDING_COLUMNS`.
        progress: One row per workload, arm and role (policy, retrain, sweep), columns
            `PROGRESS_COLUMNS`.
        provenance: Versions, revision and hardware, as in ``summary.json``.
    """

    study: Study
    records: pd.DataFrame
    curves: pd.DataFrame
    spending: pd.DataFrame
    progress: pd.DataFrame
    provenance: dict[str, str]

    @property
    def modes(self) -> dict[str, str]:
        """``max`` or ``min`` for the metric of each workload."""
        return {entry.name: entry.metric.mode for entry in self.study.workloads}

    @property
    def targets(self) -> dict[str, float]:
        """The target on each workload, in the unit of its metric."""
        return {entry.name: entry.target for entry in self.study.workloads}

    @property
    def batch_sizes(self) -> dict[str, int]:
        """The batch size that each workload is trained with, but in sweeps of it."""
        return {entry.name: entry.batch_size for entry in self.study.workloads}

    @property
    def trainings(self) -> dict[str, float]:
        """What one ordinary training costs on each workload, in sample gradients.

        It is that of the longest trial, a gradient a sample, whatever its rule charges
        beyond; workloads without a trial are missing.
        """
        length = self.records["steps"] * self.records["batch_size"]
        longest = length.astype(float).groupby(self.records["workload"]).max()
        return {str(name): cost for name, cost in longest.items() if cost > 0}

    def costs(self, failure_price: float = 1.0) -> pd.DataFrame:
        """Return the bill of every arm on every workload.

        Args:
            failure_price: Share of its cost that a trial that misses is charged.
        """
        from hpo_vs_adapt.tables.bills import make_bills

        return make_bills(self, failure_price)

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
        bounds = {
            entry.name: (
                -math.inf if entry.metric.low is None else entry.metric.low,
                math.inf if entry.metric.high is None else entry.metric.high,
            )
            for entry in self.study.workloads
        }
        return metrics.best_of_k_table(self.records, self.modes, bounds)

    def tunability(self) -> pd.DataFrame:
        """Return how good every tuned arm's search is early, on the whole, and late."""
        return metrics.tunability_table(self.records, self.modes)

    def effective_dimension(self) -> pd.DataFrame:
        """Return how many of each arm's settings are worth tuning, and which."""
        sizes = {entry.name: entry.batch_size for entry in self.study.workloads}
        return metrics.dimension_table(self.records, self.modes, sizes)

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

        return make_summary(self)

    def write_report(
        self, directory: str | Path, tell: Callable[[str], object] | None = None
    ) -> Path:
        """Write the report into a folder and return the path of its page.

        Args:
            directory: Made if it is not there.
            tell: Called with what is made next, such as ``figures of digits_mlp``.
        """
        from hpo_vs_adapt.report import write_report

        return write_report(self, Path(directory), tell)
