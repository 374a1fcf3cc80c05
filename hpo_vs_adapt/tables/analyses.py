"""Finished tables of all that is made of the bills and the curves of a study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hpo_vs_adapt import metrics
from hpo_vs_adapt.tables.headlines import make_headlines
from hpo_vs_adapt.tables.origins import find_origins
from hpo_vs_adapt.tables.study_tables import StudyTables

__all__ = ["Analyses", "make_analyses"]

_RETRAININGS = np.unique(np.geomspace(1, 1000, 31).round())
_PRICES = np.linspace(0, 1, 21)


@dataclass(frozen=True)
class Analyses:
    """Tables of the metrics; every one is also written as a CSV file.

    Args:
        headlines: What each answer turns on, see `headlines.make_headlines`.
        ranking: Arms of a workload by their bills, see `metrics.ranking`.
        across_workloads: Arms over all workloads, see `metrics.across_workloads`.
        budget_profiles: Shares of workloads solved, see `metrics.budget_profiles`.
        improvement: Arms pair by pair, see `metrics.improvement`.
        by_workers: Latency and bill with W workers, see `metrics.bills_by_workers`.
        break_even: When tuning pays, see `metrics.break_even_table`.
        retrainings: Totals after R trainings, see `metrics.retraining_curves`.
        failure_prices: Bills where misses are cheaper, see
            `metrics.failure_price_curves`.
        target_sweep: Bills at other targets, see `metrics.target_sweep`.
        tuning_curves: Best value over spending, see `metrics.tuning_curves`.
        best_probability: Who has it, see `metrics.best_probability`.
        lr_numbers: What hangs on the rate, see `metrics.sensitivity_numbers`.
        knob_numbers: What hangs on other settings, see `metrics.knob_table`.
        lr_drift: Best rates over batch sizes, see `metrics.lr_drift`.
        batch_size_spread: Metrics over batch sizes, see `metrics.batch_size_spread`.
        sensitivity_plane: Tuned metric and sensitivity, see `metrics.adkins_plane`.
        importances: Of tuned settings, see `metrics.hyperparameter_importances`.
        partial_dependence: On tuned settings, see `metrics.partial_dependence`.
        seeds_needed: To resolve 10 %, see `metrics.seeds_needed`.
        best_of_k: The best of k trials, see `metrics.best_of_k_table`.
        tunability: Searches early and late, see `metrics.tunability_table`.
        effective_dimension: Settings worth tuning, see `metrics.dimension_table`.
        iqm: What trainings reach, see `metrics.iqm_table`.
        iqm_across: The same over all workloads, see `metrics.iqm_across`.
        survival: Trials that have not met the target, see `metrics.survival_table`.
        restricted_means: What trials cost up to one training, see
            `metrics.restricted_mean_table`.
    """

    headlines: pd.DataFrame
    ranking: pd.DataFrame
    across_workloads: pd.DataFrame
    budget_profiles: pd.DataFrame
    improvement: pd.DataFrame
    by_workers: pd.DataFrame
    break_even: pd.DataFrame
    retrainings: pd.DataFrame
    failure_prices: pd.DataFrame
    target_sweep: pd.DataFrame
    tuning_curves: pd.DataFrame
    best_probability: pd.DataFrame
    lr_numbers: pd.DataFrame
    knob_numbers: pd.DataFrame
    lr_drift: pd.DataFrame
    batch_size_spread: pd.DataFrame
    sensitivity_plane: pd.DataFrame
    importances: pd.DataFrame
    partial_dependence: pd.DataFrame
    seeds_needed: pd.DataFrame
    best_of_k: pd.DataFrame
    tunability: pd.DataFrame
    effective_dimension: pd.DataFrame
    iqm: pd.DataFrame
    iqm_across: pd.DataFrame
    survival: pd.DataFrame
    restricted_means: pd.DataFrame


def make_analyses(
    given: StudyTables, bills: pd.DataFrame, sweep: pd.DataFrame
) -> Analyses:
    """Return all tables of the metrics.

    Args:
        given: Of the study.
        bills: Columns `bills.BILL_COLUMNS`.
        sweep: As from `metrics.sweep_table`.
    """
    records = given.records
    begun = bills[bills["workload"].isin(given.trainings)]
    by_workers = metrics.bills_by_workers(records)
    best, chances = metrics.tuning_tables(records, given.curves, given.modes)
    numbers = metrics.sensitivity_numbers(records, given.curves, given.modes)
    return Analyses(
        headlines=make_headlines(given, bills),
        ranking=_ranking(given, bills),
        across_workloads=metrics.across_workloads(
            begun, given.trainings, given.study.reference
        ),
        budget_profiles=metrics.budget_profiles(begun, given.trainings),
        improvement=metrics.improvement(records),
        by_workers=by_workers,
        break_even=metrics.break_even_table(records, bills, by_workers),
        retrainings=metrics.retraining_curves(bills, _RETRAININGS),
        failure_prices=metrics.failure_price_curves(records, _PRICES),
        target_sweep=metrics.target_sweep(
            records, given.curves, given.modes, given.targets, 20
        ),
        tuning_curves=best,
        best_probability=chances,
        lr_numbers=numbers,
        knob_numbers=metrics.knob_table(records, given.curves, given.modes),
        lr_drift=metrics.lr_drift(numbers),
        batch_size_spread=metrics.batch_size_spread(sweep),
        sensitivity_plane=metrics.adkins_plane(records, given.modes, given.batch_sizes),
        importances=metrics.hyperparameter_importances(records, given.modes),
        partial_dependence=metrics.partial_dependence(records, given.modes),
        seeds_needed=metrics.seeds_needed(
            records, 1.1, 0.8, reference=given.study.reference
        ),
        best_of_k=metrics.best_of_k_table(records, given.modes, given.bounds),
        tunability=metrics.tunability_table(records, given.modes),
        effective_dimension=metrics.dimension_table(
            records, given.modes, given.batch_sizes
        ),
        iqm=metrics.iqm_table(records, given.modes),
        iqm_across=metrics.iqm_across(records, given.modes),
        survival=metrics.survival_table(records),
        restricted_means=metrics.restricted_mean_table(records, given.trainings),
    )


def _ranking(given: StudyTables, bills: pd.DataFrame) -> pd.DataFrame:
    """Return what `Results.ranking` does, from bills and ratios that are there."""
    names = {"ratio_low": "low", "ratio_high": "high"}
    ratios = bills[["workload", "arm", "ratio", *names]].rename(columns=names)
    return metrics.rank_arms(
        bills.drop(columns=["ratio", *names]),
        metrics.bill_ranks(metrics.arm_passes(given.records)),
        ratios,
        find_origins(given.study),
    )
