"""How an arm does where nobody tuned it: tables over learning rate and batch size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpo_vs_adapt.metrics.passes import role_rows

__all__ = ["SWEEP_COLUMNS", "lr_basin", "sweep_table"]

SWEEP_COLUMNS = (
    "n",  # trials
    "failures",
    "hits",
    "hit_share",
    "metric_mean",
    "metric_low",
    "metric_high",
)
"""What `sweep_table` says of each point."""


def sweep_table(trials: pd.DataFrame) -> pd.DataFrame:
    """Return how each swept arm did at each point of its sweep, over seeds.

    Diverged and crashed trials stay in: they count in `n`, in `failures` and as trials
    that did not hit (unless they crossed the target before), and a diverged one brings
    the best metric it had until then. ``hit_share = hits / n``, so a seed whose trial
    crashed is not dropped from it either.

    Args:
        trials: One row a trial of a stream, columns as in `Results.records`; only rows
            of role ``sweep`` count.

    Returns:
        One row per point, sorted by rate: `workload`, `arm`, `batch_size`, then `lr`
        and every other setting that varies within some arm's sweep (NaN for an arm that
        was not given it), then `SWEEP_COLUMNS`. `metric_mean`, `metric_low` and
        `metric_high` are mean, lowest and highest of the best validation metric over
        seeds, in the metric's unit; NaN if every trial crashed before an evaluation.

    Raises:
        ValueError: As in `arm_passes`.
    """
    sweep = role_rows(trials, "sweep")
    varied = _varied(sweep)
    points = ["workload", "arm", "batch_size", *varied]
    given = [
        [settings.get(name, math.nan) for name in varied]
        for settings in sweep["settings"]
    ]
    table = pd.DataFrame(given, columns=varied, index=sweep.index).assign(
        **{name: sweep[name] for name in ("workload", "arm", "batch_size")},
        failed=sweep["failed"],
        hit=sweep["hit"],
        metric=sweep["best_metric"],
    )
    groups = table.groupby(points, dropna=False, sort=False, as_index=False)
    result = groups.agg(
        n=("hit", "size"),
        failures=("failed", "sum"),
        hits=("hit", "sum"),
        hit_share=("hit", "mean"),
        metric_mean=("metric", "mean"),
        metric_low=("metric", "min"),
        metric_high=("metric", "max"),
    )
    # Other settings, which may be words, keep the order of the sweep.
    order = [*points[:3], *(name for name in varied if name == "lr")]
    return result.sort_values(order, kind="stable", ignore_index=True)


def lr_basin(table: pd.DataFrame, share: float = 0.5) -> pd.DataFrame:
    """Return how wide the range of learning rates is in which an arm meets the target.

    The basin is the widest contiguous stretch of the swept rates with
    ``hit_share >= share``. Its ends are interpolated: where the line through the last
    rate inside and the first outside, over log10(lr), falls below `share`. An end that
    is the end of the sweep is open: the basin is at least that wide.

    Args:
        table: As from `sweep_table`, with a column `lr`; every other setting, and the
            batch size, has basins of its own.
        share: Least share of trials that meet the target, above 0 and at most 1.

    Returns:
        Columns `workload`, `arm`, `batch_size`, the other settings, `lr_low`,
        `lr_high`, `decades` = log10(lr_high / lr_low), `open_low`, `open_high`; one row
        per combination, NaN bounds and 0 decades where no rate meets the target.

    Raises:
        ValueError: If there is no column `lr` or `share` is out of range.
    """
    if not 0 < share <= 1:
        raise ValueError(f"`share` must be above 0 and at most 1; got {share!r}.")
    if "lr" not in table.columns:
        raise ValueError("`table` must have a column `lr`; sweep the learning rate.")
    keys = [name for name in table.columns if name not in ("lr", *SWEEP_COLUMNS)]
    rows: list[tuple[Any, ...]] = []
    swept = table[table["lr"].notna()]
    for key, group in swept.groupby(keys, dropna=False, sort=False):
        ordered = group.sort_values("lr")
        logs = np.log10(ordered["lr"].to_numpy(dtype=np.float64))
        shares = ordered["hit_share"].to_numpy(dtype=np.float64)
        rows.append((*key, *_basin(logs, shares, share)))
    found = ["lr_low", "lr_high", "decades", "open_low", "open_high"]
    return pd.DataFrame(rows, columns=[*keys, *found])


def _varied(sweep: pd.DataFrame) -> list[str]:
    """Return the settings that vary within some arm, `lr` first."""
    seen: dict[tuple[str, str, str], set[object]] = {}
    arms = zip(sweep["workload"], sweep["arm"], sweep["settings"], strict=True)
    for workload, arm, settings in arms:
        for name, value in settings.items():
            seen.setdefault((workload, arm, name), set()).add(value)
    names = {name for (_, _, name), values in seen.items() if len(values) > 1}
    names |= {name for _, _, name in seen if name == "lr"}
    return sorted(names, key=lambda name: (name != "lr", name))


def _basin(
    logs: NDArray[np.float64], shares: NDArray[np.float64], share: float
) -> tuple[float, float, float, bool, bool]:
    """Return low and high rate, decades, and whether each end is open."""
    # Places where the rates change from outside to inside, and back.
    inside = np.concatenate([[False], shares >= share, [False]])
    edges = np.flatnonzero(inside[1:] != inside[:-1]).reshape(-1, 2)
    best: tuple[float, float, bool, bool] | None = None
    for start, stop in edges:
        low = _end(logs, shares, start, -1, share)
        high = _end(logs, shares, stop - 1, 1, share)
        if best is None or high - low > best[1] - best[0]:
            best = (low, high, bool(start == 0), bool(stop == len(shares)))
    if best is None:
        return math.nan, math.nan, 0.0, False, False
    low, high, open_low, open_high = best
    return 10**low, 10**high, high - low, open_low, open_high


def _end(
    logs: NDArray[np.float64],
    shares: NDArray[np.float64],
    place: int,
    step: int,
    share: float,
) -> float:
    """Return where the share falls below, going from `place` towards its neighbour."""
    beyond = place + step
    if not 0 <= beyond < len(shares):
        return float(logs[place])
    part = (shares[place] - share) / (shares[place] - shares[beyond])
    return float(logs[place] + part * (logs[beyond] - logs[place]))
