"""What a run returns: a study's trials, and every table and report made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from hpo_vs_adapt import metrics
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.tables.catalogue import Tables
from hpo_vs_adapt.tables.study_tables import (
    PROGRESS_COLUMNS,
    SPENDING_COLUMNS,
    TRIAL_COLUMNS,
    StudyTables,
)

__all__ = ["PROGRESS_COLUMNS", "SPENDING_COLUMNS", "TRIAL_COLUMNS", "Results"]


class Results:
    """The trials that exist of a study, and all that is made of them.

    What is made is kept: a table is the same in the report, in the summary and here,
    and no analysis is made twice.

    Args:
        given: What the records say.
    """

    def __init__(self, given: StudyTables) -> None:
        self.given = given
        self._tables = Tables(given)

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

    def table(self, name: str, **parameters: float) -> pd.DataFrame:
        """Return a table of the report, of one's own to change.

        Args:
            name: As its CSV file is called, without suffix.
            parameters: Other ones than the report's: `failure_price` of bills, ranking
                and by_workers, `points` of target_sweep, `ratio` and `power` of
                seeds_needed.

        Raises:
            KeyError: If the study has no table of that name.
        """
        return self._tables.make(name, **parameters).copy()

    def costs(self, failure_price: float = 1.0) -> pd.DataFrame:
        """Return the bill of every arm on every workload.

        Args:
            failure_price: Share of its cost that a trial that misses is charged.
        """
        return self.table("bills", failure_price=failure_price)

    def ranking(self, failure_price: float = 1.0) -> pd.DataFrame:
        """Return all arms by their bills, with rank intervals and hidden tuning."""
        return self.table("ranking", failure_price=failure_price)

    def across_workloads(self) -> pd.DataFrame:
        """Return profile scores, data profiles and mean ratios of every arm."""
        return self.table("across_workloads")

    def improvement(self) -> pd.DataFrame:
        """Return the probability of every arm to be cheaper than every other."""
        return self.table("improvement")

    def by_workers(self, failure_price: float = 1.0) -> pd.DataFrame:
        """Return latency and bill of every arm with several workers at once."""
        return self.table("by_workers", failure_price=failure_price)

    def break_even(self) -> pd.DataFrame:
        """Return when tuning pays: further trainings, cheaper failures, workers."""
        return self.table("break_even")

    def target_sweep(self, points: int = 20) -> pd.DataFrame:
        """Return bills and ranks from an easy target to the hardest met."""
        return self.table("target_sweep", points=points)

    def sensitivity(self) -> pd.DataFrame:
        """Return in numbers how much each swept arm depends on its learning rate."""
        return self.table("lr_numbers")

    def knobs(self) -> pd.DataFrame:
        """Return the same numbers for the other settings that were swept."""
        return self.table("knob_numbers")

    def importances(self) -> pd.DataFrame:
        """Return how much each tuned hyperparameter mattered."""
        return self.table("importances")

    def partial_dependence(self) -> pd.DataFrame:
        """Return which way each tuned hyperparameter pulls the metric."""
        return self.table("partial_dependence")

    def tuning_curves(self) -> pd.DataFrame:
        """Return the best value so far of every arm against all that it has spent."""
        return self.table("tuning_curves")

    def best_probability(self) -> pd.DataFrame:
        """Return each arm's probability to have the best value for so much spending."""
        return self.table("best_probability")

    def best_of_k(self) -> pd.DataFrame:
        """Return what the best of k trials of every tuned arm is, with its band."""
        return self.table("best_of_k")

    def tunability(self) -> pd.DataFrame:
        """Return how good every tuned arm's search is early, on the whole, and late."""
        return self.table("tunability")

    def effective_dimension(self) -> pd.DataFrame:
        """Return how many of each arm's settings are worth tuning, and which."""
        return self.table("effective_dimension")

    def iqm(self) -> pd.DataFrame:
        """Return the interquartile mean of what each arm's trainings reach."""
        return self.table("iqm")

    def iqm_across(self) -> pd.DataFrame:
        """Return the same over all workloads, as scores on one scale."""
        return self.table("iqm_across")

    def survival(self) -> pd.DataFrame:
        """Return the share of every arm's trials that have not met the target yet."""
        return self.table("survival")

    def restricted_means(self) -> pd.DataFrame:
        """Return each trial's mean cost to the target, or of one ordinary training."""
        return self.table("restricted_means")

    def seeds_needed(self, ratio: float = 1.1, power: float = 0.8) -> pd.DataFrame:
        """Return how many seeds tell an arm's bill from the reference's by a ratio."""
        return self.table("seeds_needed", ratio=ratio, power=power)

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

    def summary(self) -> dict[str, Any]:
        """Return what ``summary.json`` holds."""
        # Drawing takes a second to import; who asks for tables does without.
        from hpo_vs_adapt.report import make_summary

        return make_summary(self._tables)

    def write_report(
        self, directory: str | Path, tell: Callable[[str], object] | None = None
    ) -> Path:
        """Write the report into a folder and return the path of its page.

        Args:
            directory: Made if it is not there.
            tell: Called with what is made next, such as ``figures of digits_mlp``.
        """
        from hpo_vs_adapt.report import write_report

        return write_report(self._tables, Path(directory), tell)
