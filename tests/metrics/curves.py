"""Trials with the curves that go with them, made by hand."""

import pandas as pd

from tests.metrics.builder import table, trial


def curved(arm, number, values, costs, **given):
    """A trial and its evaluations; it spends the last cost unless `cost` says more."""
    row = trial(arm, number, **({"cost": float(max(costs, default=0.0))} | given))
    rows = zip(costs, values, strict=True)
    curve = [
        {"key": row["key"], "step": step, "cost": float(cost), "validation_metric": v}
        for step, (cost, v) in enumerate(rows)
    ]
    return row, curve


def tables(*trials):
    """Records and curves of trials as from `curved`."""
    columns = ["key", "step", "cost", "validation_metric"]
    curves = {row["key"]: curve for row, curve in trials}
    rows = [line for curve in curves.values() for line in curve]
    return table(*(row for row, _ in trials)), pd.DataFrame(rows, columns=columns)
