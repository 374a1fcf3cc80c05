"""Each swept arm in numbers: basins, regrets, and the loss given away."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from hpo_vs_adapt.metrics.basics.checks import check_columns
from hpo_vs_adapt.metrics.sensitivity.curve_axes import best_place, gains_on_axis
from hpo_vs_adapt.metrics.sensitivity.lr_curves import (
    basin_width,
    lr_sensitivity,
    mean_over_range,
    misspecification_regret,
    stretch_above,
)
from hpo_vs_adapt.metrics.sensitivity.sweeps import as_numbers, sweep_trials

__all__ = ["SENSITIVITY_COLUMNS", "knob_table", "sensitivity_numbers"]

SENSITIVITY_COLUMNS = (
    "points",  # values tried
    "tested_low",
    "tested_high",
    "best",  # value with the best metric, mean over seeds
    "best_metric",
    "basin_low",  # within the tolerance of the best metric
    "basin_high",
    "basin_decades",
    "basin_open_low",
    "basin_open_high",
    "hit_low",  # the target met by the asked share of seeds
    "hit_high",
    "hit_decades",
    "hit_open_low",
    "hit_open_high",
    "hit_fraction",  # of the tested range, hit shares between points on a line
    "loss_sensitivity",
    "regret_2",
    "regret_10",
)
"""What `sensitivity_numbers` and `knob_table` say of one setting of an arm."""

_FACTORS = (2.0, 10.0)

_Row: TypeAlias = dict[str, Any]


def sensitivity_numbers(
    records: pd.DataFrame,
    curves: pd.DataFrame,
    modes: Mapping[str, str] | None = None,
    *,
    tolerance: float = 0.01,
    share: float = 0.5,
) -> pd.DataFrame:
    """Return how much each swept arm depends on its learning rate.

    Over the rates of a sweep, each with the mean over its seeds:

    - ``best``, ``best_metric``: the rate with the best of the trials' best validation
      metrics, of equal ones the middle; and that metric.
    - ``basin_*``: rates within `tolerance` of it (`basin_width`).
    - ``hit_*``: widest stretch of rates that meet the target in at least `share` of
      their seeds (`stretch_above`); ``hit_fraction``: the probability that a rate drawn
      log-uniformly from the tested range meets it (`mean_over_range`).
    - ``loss_sensitivity``: `lr_sensitivity` of the validation loss at the trial's end,
      capped for each trial at its loss at step 0; a trial that failed has learnt
      nothing. NaN where a trial's curve or its step 0 is missing.
    - ``regret_2``, ``regret_10``: metric lost with a rate off by that factor
      (`misspecification_regret`).

    Basins and regrets are of the best metric, which is NaN for a rate all of whose
    trials crashed before an evaluation: such a rate reached nothing.

    Args:
        records: One row a trial of a stream, columns as in `Results.records`; only rows
            of role ``sweep`` count.
        curves: One row an evaluation, columns `key`, `step`, `cost`, `validation_loss`.
        modes: Mode of each workload's metric, ``max`` where it is not named.
        tolerance: Absolute, in the unit of the metric.
        share: Least share of seeds that meet the target, above 0 and at most 1.

    Returns:
        Columns `workload`, `arm`, `batch_size`, the other swept settings, `scale`
        (``log``; ``linear`` if a rate is not positive: then decades are NaN and the
        axis is the rate itself), `SENSITIVITY_COLUMNS`. One row per workload, arm,
        batch size and combination of other settings with at least two rates, sorted.

    Raises:
        ValueError: As in `arm_passes` and `basin_width`, or if a column of `curves` is
            missing or `share` is out of range.
    """
    trials, points = _swept_trials(records, curves, share)
    rows = _over("lr", trials, points, modes or {}, tolerance, share)
    return _table(rows, [name for name in points if name != "lr"])


def knob_table(
    records: pd.DataFrame,
    curves: pd.DataFrame,
    modes: Mapping[str, str] | None = None,
    *,
    tolerance: float = 0.01,
    share: float = 0.5,
) -> pd.DataFrame:
    """Return the numbers of `sensitivity_numbers` for every other swept setting.

    These are the knobs that are left in methods said to need no tuning. Every numeric
    setting but the rate that was swept over at least two values counts; words and flags
    do not. Settings of which some value is 0 or negative have a linear scale: their
    decades are NaN, and a factor says nothing if the best value is not positive.

    Args:
        records: As in `sensitivity_numbers`.
        curves: As in `sensitivity_numbers`.
        modes: As in `sensitivity_numbers`.
        tolerance: As in `sensitivity_numbers`.
        share: As in `sensitivity_numbers`.

    Returns:
        Columns `workload`, `arm`, `batch_size`, the swept settings (NaN where a row is
        about them), `setting`, `scale`, `SENSITIVITY_COLUMNS`.

    Raises:
        ValueError: As in `sensitivity_numbers`.
    """
    trials, points = _swept_trials(records, curves, share)
    rows: list[_Row] = []
    for knob in points[3:]:
        if knob != "lr":
            found = _over(knob, trials, points, modes or {}, tolerance, share)
            rows += [{**row, "setting": knob} for row in found]
    return _table(rows, [*points, "setting"])


def _swept_trials(
    records: pd.DataFrame, curves: pd.DataFrame, share: float
) -> tuple[pd.DataFrame, list[str]]:
    """Return the trials of all sweeps with the losses at their ends, and the points."""
    if not 0 < share <= 1:
        raise ValueError(f"`share` must be above 0 and at most 1; got {share!r}.")
    needed = ["key", "step", "cost", "validation_loss"]
    check_columns("curves", curves, needed, "Results.curves")
    trials, points = sweep_trials(records)
    own = curves.loc[curves["key"].isin(trials["key"]), needed]
    starts = own[own["step"] == 0].drop_duplicates("key").set_index("key")
    # A record may have run on beyond the trial that it serves.
    asked = trials[["key", "cost"]].reset_index(names="trial")
    met = asked.merge(own, on="key", suffixes=("_of_trial", ""))
    met = met[met["cost"] <= met["cost_of_trial"] * (1 + 1e-9)]
    met = met.sort_values(["trial", "step"], kind="stable")
    ends = met.drop_duplicates("trial", keep="last").set_index("trial")
    final = ends["validation_loss"].astype(float)
    nothing = final.where(np.isfinite(final), math.inf).reindex(trials.index)
    return trials.assign(
        initial=trials["key"].map(starts["validation_loss"].astype(float)),
        final=nothing.where(~trials["failed"], math.inf),
    ), points


def _over(
    setting: str,
    trials: pd.DataFrame,
    points: list[str],
    modes: Mapping[str, str],
    tolerance: float,
    share: float,
) -> list[_Row]:
    """Return the numbers of one setting for each combination of all others."""
    if setting not in points:
        return []
    keys = [name for name in points if name != setting]
    own = trials.assign(**{setting: as_numbers(trials[setting])})
    own = own[own[setting].notna()]
    # A trial that crashed before its first evaluation starts like the others.
    others = own.groupby(keys, dropna=False)["initial"].transform("mean")
    initial = own["initial"].fillna(others)
    own = own.assign(initial=initial, loss=np.minimum(own["final"], initial))
    at_points = own.groupby([*keys, setting], dropna=False, sort=False, as_index=False)
    curve = at_points.agg(
        metric=("metric", "mean"),
        hit_share=("hit", "mean"),
        loss=("loss", "mean"),
        losses=("loss", "count"),
        trials=("loss", "size"),
        initial=("initial", "mean"),
    )
    curve["loss"] = curve["loss"].where(curve["losses"] == curve["trials"])
    rows = []
    for key, group in curve.groupby(keys, dropna=False, sort=False):
        if len(group) > 1:
            mode = modes.get(str(key[0]), "max")
            numbers = _numbers(group, setting, mode, tolerance, share)
            rows.append({**dict(zip(keys, key, strict=True)), **numbers})
    return rows


def _numbers(
    curve: pd.DataFrame, setting: str, mode: str, tolerance: float, share: float
) -> _Row:
    ordered = curve.sort_values(setting)
    values = ordered[setting].to_numpy(dtype=np.float64)
    metric = ordered["metric"].to_numpy(dtype=np.float64)
    hits = ordered["hit_share"].to_numpy(dtype=np.float64)
    scale = "log" if values[0] > 0 else "linear"
    gains = gains_on_axis(values, metric, mode, scale)[1]
    best = best_place(gains)
    known = math.isfinite(gains[best])
    row: _Row = {
        "scale": scale,
        "points": len(values),
        "tested_low": values[0],
        "tested_high": values[-1],
        "best": values[best] if known else math.nan,
        "best_metric": metric[best] if known else math.nan,
    }
    near = basin_width(values, metric, tolerance, mode, scale)
    met = stretch_above(values, hits, share, scale)
    for name, basin in (("basin", near), ("hit", met)):
        row |= {f"{name}_{end}": value for end, value in asdict(basin).items()}
    row["hit_fraction"] = mean_over_range(values, hits, scale)
    losses, initial = ordered["loss"], ordered["initial"].mean()
    row["loss_sensitivity"] = (
        lr_sensitivity(values, losses, initial, scale=scale)
        if losses.notna().all()
        else math.nan
    )
    regrets = misspecification_regret(values, metric, _FACTORS, mode, scale)["regret"]
    row["regret_2"], row["regret_10"] = regrets
    return row


def _table(rows: list[_Row], names: list[str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=[*names, "scale", *SENSITIVITY_COLUMNS])
    # Other settings, which may be words, keep the order of the sweep.
    return table.sort_values(names[:3], kind="stable", ignore_index=True)
