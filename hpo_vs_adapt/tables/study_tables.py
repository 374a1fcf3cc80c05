"""What a study has found: tidy tables of trials and curves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from hpo_vs_adapt.study import Study

__all__ = ["PROGRESS_COLUMNS", "SPENDING_COLUMNS", "TRIAL_COLUMNS", "StudyTables"]

TRIAL_COLUMNS = (
    "workload",  # label of the workload in the study
    "arm",
    "kind",  # tuned, adaptive, fixed
    "by",  # grid, random, optuna, portfolio; single for arms without `tune`
    "role",  # policy: in the bill; retrain: the winner again; sweep: sensitivity
    "stream",  # tuner seed (policy and retrain of tuned arms); -1 elsewhere
    "optuna",  # name of its Optuna study
    "number",  # of the trial in that study, from 0
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
"""Columns of `StudyTables.records`, one row a trial of a stream."""

SPENDING_COLUMNS = (
    "key",  # of the record
    "purpose",  # ledger.Purpose
    "sample_gradients",
    "forward_samples",
    "cost",  # of both, in sample gradients; evaluation too, which no bill counts
    "flops",
    "seconds",
)
"""Columns of `StudyTables.spending`, one row for each purpose of a record."""

PROGRESS_COLUMNS = ("workload", "arm", "role", "planned", "done")
"""Columns of `StudyTables.progress`."""


@dataclass(frozen=True)
class StudyTables:
    """What the records of a study say, and nothing that is computed from it.

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
    def bounds(self) -> dict[str, tuple[float, float]]:
        """Least and greatest value of the metric of each workload; infinite: none."""
        return {
            entry.name: (
                -math.inf if entry.metric.low is None else entry.metric.low,
                math.inf if entry.metric.high is None else entry.metric.high,
            )
            for entry in self.study.workloads
        }

    @property
    def trainings(self) -> dict[str, float]:
        """What one ordinary training costs on each workload, in sample gradients.

        It is that of the longest trial, a gradient a sample, whatever its rule charges
        beyond; workloads without a trial are missing.
        """
        length = self.records["steps"] * self.records["batch_size"]
        longest = length.astype(float).groupby(self.records["workload"]).max()
        return {str(name): cost for name, cost in longest.items() if cost > 0}
