"""The ledger of a study: what each arm has spent on what."""

from __future__ import annotations

import pandas as pd

from hpo_vs_adapt.tables.study_tables import StudyTables

__all__ = ["LEDGER_COLUMNS", "make_ledger"]

LEDGER_COLUMNS = (
    "workload",
    "arm",
    "role",  # policy, retrain, sweep: only the first is in the bill
    "failed",  # of trials that diverged or crashed
    "purpose",  # ledger.Purpose; evaluation is in no bill
    "trials",  # that spent something on it
    "cost",  # sample gradients
    "flops",
    "seconds",  # amortised where lanes trained together
)
"""Columns of `make_ledger`."""


def make_ledger(given: StudyTables) -> pd.DataFrame:
    """Return the spending of every arm by purpose, failures apart.

    A record that several trials share counts for each of them, as it does in bills.

    Returns:
        Columns `LEDGER_COLUMNS`, one row per workload, arm, role, failed and purpose
        with any spending, arms in the order of the study.
    """
    groups = list(LEDGER_COLUMNS[:5])
    trials = given.records[[*groups[:4], "key"]]
    spent = trials.merge(given.spending, on="key")
    table = spent.groupby(groups, sort=False, as_index=False).agg(
        trials=("key", "size"),
        cost=("cost", "sum"),
        flops=("flops", "sum"),
        seconds=("seconds", "sum"),
    )
    return table.reindex(columns=list(LEDGER_COLUMNS))
