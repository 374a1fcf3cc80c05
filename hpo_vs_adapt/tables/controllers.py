"""Tables of what the rules did over time, against what tuning found."""

from __future__ import annotations

import pandas as pd

from hpo_vs_adapt.records.trials import CURVE_COLUMNS
from hpo_vs_adapt.tables.rows import rows_of, stacked
from hpo_vs_adapt.tables.runs import curves_of, winning_runs
from hpo_vs_adapt.tables.study_tables import StudyTables

__all__ = ["CONTROLLER_COLUMNS", "RATE_COLUMNS", "make_controllers", "make_rates"]

RATE_COLUMNS = (
    "workload",
    "arm",
    "quantity",  # lr, momentum
    "step",  # optimizer steps taken
    "median",
    "low",
    "high",
    "paths",  # runs that are that far
    "kind",  # adaptive; tuned: what the winners were trained with
)
"""Columns of `make_rates`."""

CONTROLLER_COLUMNS = ("workload", "arm", "seed", "quantity", "step", "value")
"""Columns of `make_controllers`."""

_CHOICE = "choice"  # logged by rules that choose a momentum among candidates


def make_rates(given: StudyTables) -> pd.DataFrame:
    """Return learning rate and momentum over the steps: median and range over runs.

    The runs are the trials of the adaptive arms, and of the tuned ones the winners,
    whose rate is the best fixed value found, or the winning schedule.

    Returns:
        Columns `RATE_COLUMNS`; values that are not finite are left out.
    """
    records, winners = given.records, winning_runs(given)
    adaptive = (records["role"] == "policy") & (records["kind"] == "adaptive")
    runs = pd.concat([records[adaptive], winners[winners["kind"] == "tuned"]])
    curves = curves_of(given, ["step", "cost", "lr", "momentum"])
    tables = []
    groups = runs.groupby(["workload", "arm", "kind"], sort=False)
    for (workload, arm, kind), trials in groups:
        logged = pd.concat(curves(trials))
        for quantity in ("lr", "momentum"):
            band = _band(logged, quantity).assign(workload=str(workload), arm=str(arm))
            tables.append(band.assign(quantity=quantity, kind=str(kind)))
    return stacked(tables, RATE_COLUMNS)


def make_controllers(given: StudyTables) -> pd.DataFrame:
    """Return the adaptive rules' own scalars over the steps, run by run.

    They are what a rule logs beyond rate and momentum (GALA's alignment and curvature,
    CLARA's r, GAP's choice); with a choice among momenta comes the momentum itself.

    Returns:
        Columns `CONTROLLER_COLUMNS`, one row an evaluation; values that are not finite
        are left out.
    """
    records = given.records
    runs = records[(records["role"] == "policy") & (records["kind"] == "adaptive")]
    known = {*CURVE_COLUMNS, "key"}
    own = [str(name) for name in given.curves if name not in known]
    curves = curves_of(given, ["step", "cost", "momentum", *own])
    tables = []
    for row, curve in zip(rows_of(runs), curves(runs), strict=True):
        chooses = _CHOICE in own and curve[_CHOICE].notna().any()
        names = [*own, "momentum"] if chooses else own
        long = curve.melt("step", names, var_name="quantity")
        place = {"workload": row.workload, "arm": row.arm, "seed": row.seed}
        tables.append(long[long["value"].abs() < float("inf")].assign(**place))
    return stacked(tables, CONTROLLER_COLUMNS)


def _band(curves: pd.DataFrame, quantity: str) -> pd.DataFrame:
    finite = curves[curves[quantity].abs() < float("inf")]
    by_step = finite.groupby("step")[quantity]
    band = by_step.agg(["median", "min", "max", "count"]).reset_index()
    return band.rename(columns={"min": "low", "max": "high", "count": "paths"})
