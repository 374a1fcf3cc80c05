"""What a study has found: tidy tables of trials and curves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hpo_vs_adapt.study import Study

__all__ = ["PROGRESS_COLUMNS", "TRIAL_COLUMNS", "Results"]

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
        progress: One row per workload, arm and role (policy, retrain, sweep), columns
            `PROGRESS_COLUMNS`.
        provenance: Versions, revision and hardware, as in ``summary.json``.
    """

    study: Study
    records: pd.DataFrame
    curves: pd.DataFrame
    progress: pd.DataFrame
    provenance: dict[str, str]

    def costs(self) -> pd.DataFrame:
        """Return the bill of every arm on every workload."""
        from hpo_vs_adapt.report.tables import make_bills

        return make_bills(self)

    def summary(self) -> dict[str, Any]:
        """Return what ``summary.json`` holds."""
        from hpo_vs_adapt.report import make_summary

        return make_summary(self)

    def write_report(self, directory: str | Path) -> Path:
        """Write the report into a folder and return the path of its page."""
        from hpo_vs_adapt.report import write_report

        return write_report(self, Path(directory))
