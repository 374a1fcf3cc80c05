"""Finished tables: what the sentences, figures and files of a report are made of."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import pandas as pd

from hpo_vs_adapt.metrics import arm_bills, reference_ratios, sweep_table
from hpo_vs_adapt.report.curves import make_race, make_rates, make_training
from hpo_vs_adapt.report.published import compare_published
from hpo_vs_adapt.results import Results
from hpo_vs_adapt.trials import EndReason

__all__ = [
    "BILL_COLUMNS",
    "Tables",
    "crashed_trials",
    "make_bills",
    "make_tables",
    "missing_trials",
]

_COUNTS = ("trials", "hits", "failures", "passes", "pass_hits")
_COSTS = ("bill", "full_plan", "cost_per_run")

BILL_COLUMNS = (
    "workload",
    "arm",
    "kind",
    *_COUNTS,
    *(f"{cost}{end}" for cost in _COSTS for end in ("", "_low", "_high")),
    "best_metric",
    "first_probability",
    "ratio",  # of the bill to the reference arm's
    "ratio_low",
    "ratio_high",
    "planned",  # policy trials
    "final_metric",  # at the end of a run with the settings found, mean over runs
    "final_sd",  # failed runs left out of both
    "calibration",  # what choosing the arm's settings once had cost; in no bill
)
"""Columns of the table of arms, one row per workload and arm."""


@dataclass(frozen=True)
class Tables:
    """The tables of a report; every one is also written as a CSV file.

    Args:
        bills: Columns `BILL_COLUMNS`, arms in the order of the study.
        race: See `curves.make_race`.
        training: See `curves.make_training`.
        rates: See `curves.make_rates`.
        sensitivity: See `metrics.sweep_table`.
        progress: Planned and finished trials, see `Results.progress`.
        trials: One row a trial, its settings as JSON.
        published: See `published.compare_published`; None where the study names no
            published values.
    """

    bills: pd.DataFrame
    race: pd.DataFrame
    training: pd.DataFrame
    rates: pd.DataFrame
    sensitivity: pd.DataFrame
    progress: pd.DataFrame
    trials: pd.DataFrame
    published: pd.DataFrame | None = None


def make_tables(results: Results) -> Tables:
    """Return all tables of a report."""
    published = results.study.published
    return Tables(
        bills=make_bills(results),
        race=make_race(results),
        training=make_training(results),
        rates=make_rates(results),
        sensitivity=sweep_table(results.records),
        progress=results.progress,
        trials=_trials(results.records),
        published=None if published is None else compare_published(results, published),
    )


def make_bills(results: Results) -> pd.DataFrame:
    """Return one row per workload and arm of the study, columns `BILL_COLUMNS`.

    An arm without a finished trial has zeros for its counts and NaN elsewhere.
    """
    study, records = results.study, results.records
    rows = pd.MultiIndex.from_product(
        [[entry.name for entry in study.workloads], [arm.name for arm in study.arms]],
        names=["workload", "arm"],
    )
    index = ["workload", "arm"]
    bills = arm_bills(
        records,
        results.progress,
        kinds={arm.name: arm.kind for arm in study.arms},
        modes={entry.name: entry.metric.mode for entry in study.workloads},
    )
    table = bills.set_index(index).reindex(rows)
    table["kind"] = [arm.kind for arm in study.arms] * len(study.workloads)
    table[list(_COUNTS)] = table[list(_COUNTS)].fillna(0).astype(int)
    ratios = reference_ratios(records, study.reference) if study.reference else None
    for column, source in (
        ("ratio", "ratio"),
        ("ratio_low", "low"),
        ("ratio_high", "high"),
    ):
        table[column] = (
            float("nan")
            if ratios is None
            else ratios.set_index(index)[source].reindex(rows)
        )
    table["planned"] = _planned(results).reindex(rows, fill_value=0)
    final = _final(records).reindex(rows)
    table["final_metric"], table["final_sd"] = final["mean"], final["std"]
    costs = [
        arm.calibration.cost if arm.calibration else math.nan for arm in study.arms
    ]
    table["calibration"] = costs * len(study.workloads)
    return table.reset_index()[list(BILL_COLUMNS)]


def _final(records: pd.DataFrame) -> pd.DataFrame:
    """Return mean and deviation of the last validation metric over an arm's runs.

    Its runs are those of an arm without tuning, or a tuned one's retrained winners.
    """
    alone = (records["role"] == "policy") & (records["by"] == "single")
    runs = records[(alone | (records["role"] == "retrain")) & ~records["failed"]]
    runs = runs.astype({"final_metric": float})
    return runs.groupby(["workload", "arm"])["final_metric"].agg(["mean", "std"])


def missing_trials(progress: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the progress table that are not done, with `missing`."""
    missing = progress.assign(missing=progress["planned"] - progress["done"])
    return missing[missing["missing"] > 0].reset_index(drop=True)


def crashed_trials(records: pd.DataFrame) -> pd.DataFrame:
    """Return the trials that crashed, in the order of the records."""
    return records[records["end"] == EndReason.CRASHED].reset_index(drop=True)


def _planned(results: Results) -> pd.Series[int]:
    policy = results.progress[results.progress["role"] == "policy"]
    return policy.set_index(["workload", "arm"])["planned"].astype(int)


def _trials(records: pd.DataFrame) -> pd.DataFrame:
    settings = [json.dumps(each, sort_keys=True) for each in records["settings"]]
    return records.assign(settings=settings)
