"""Finished tables: what the sentences, figures and files of a report are made of."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pandas as pd

from hpo_vs_adapt.metrics import sweep_table
from hpo_vs_adapt.records.trials import EndReason
from hpo_vs_adapt.tables.bills import make_bills
from hpo_vs_adapt.tables.chances import make_chances
from hpo_vs_adapt.tables.controllers import make_controllers, make_rates
from hpo_vs_adapt.tables.published import compare_published
from hpo_vs_adapt.tables.races import make_race, make_training
from hpo_vs_adapt.tables.spending import make_ledger
from hpo_vs_adapt.tables.study_tables import StudyTables

__all__ = [
    "Tables",
    "crashed_trials",
    "make_tables",
    "missing_trials",
]


@dataclass(frozen=True)
class Tables:
    """The tables of a report; every one is also written as a CSV file.

    Args:
        bills: Columns `BILL_COLUMNS`, arms in the order of the study.
        race: See `curves.make_race`.
        training: See `curves.make_training`.
        chances: See `chances.make_chances`.
        rates: See `controllers.make_rates`.
        controllers: See `controllers.make_controllers`.
        sensitivity: See `metrics.sweep_table`.
        ledger: See `spending.make_ledger`.
        progress: Planned and finished trials, see `Results.progress`.
        trials: One row a trial, its settings as JSON.
        published: See `published.compare_published`; None where the study names no
            published values.
    """

    bills: pd.DataFrame
    race: pd.DataFrame
    training: pd.DataFrame
    chances: pd.DataFrame
    rates: pd.DataFrame
    controllers: pd.DataFrame
    sensitivity: pd.DataFrame
    ledger: pd.DataFrame
    progress: pd.DataFrame
    trials: pd.DataFrame
    published: pd.DataFrame | None = None


def make_tables(given: StudyTables) -> Tables:
    """Return all tables of a report."""
    published = given.study.published
    return Tables(
        bills=make_bills(given),
        race=make_race(given),
        training=make_training(given),
        chances=make_chances(given.records, given.progress),
        rates=make_rates(given),
        controllers=make_controllers(given),
        sensitivity=sweep_table(given.records),
        ledger=make_ledger(given),
        progress=given.progress,
        trials=_trials(given.records),
        published=None if published is None else compare_published(given, published),
    )


def missing_trials(progress: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the progress table that are not done, with `missing`."""
    missing = progress.assign(missing=progress["planned"] - progress["done"])
    return missing[missing["missing"] > 0].reset_index(drop=True)


def crashed_trials(records: pd.DataFrame) -> pd.DataFrame:
    """Return the trials that crashed, in the order of the records."""
    return records[records["end"] == EndReason.CRASHED].reset_index(drop=True)


def _trials(records: pd.DataFrame) -> pd.DataFrame:
    settings = [json.dumps(each, sort_keys=True) for each in records["settings"]]
    return records.assign(settings=settings)
