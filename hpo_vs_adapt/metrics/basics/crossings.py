"""Where many curves first meet their targets, all of them at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpo_vs_adapt.metrics.basics.checks import check_columns, check_least
from hpo_vs_adapt.metrics.basics.direction import MODES, metric_signs

__all__ = ["RecordCurves", "first_reaching", "record_curves"]

_RECORDS = ("workload", "key", "end", "hit", "cost")
_CURVES = ("key", "step", "cost", "validation_metric")


@dataclass(frozen=True, slots=True)
class RecordCurves:
    """The evaluations of n records, m in all, so that one search answers for all.

    Args:
        cost: Spending at each evaluation, curve after curve, shape `(m,)`.
        best: Best value so far; higher is better here, whatever the mode (see `sign`).
        lasting: The same of the worst of so many evaluations in a row.
        in_a_row: How many those are.
        start: Where each record's evaluations begin, shape `(n,)`.
        stop: Behind the last of them: what a shared curve ran beyond is left off.
        lost: What each record had lost with a worker, part of its costs.
        limit: What each record spent, as given.
        extended: Whether a record that ended at its target shares one that ran on,
            which then is its curve.
        sign: 1 where a high value is good, -1 where a low one is, shape `(n,)`.
    """

    cost: NDArray[np.float64]
    best: NDArray[np.float64]
    lasting: NDArray[np.float64]
    in_a_row: int
    start: NDArray[np.intp]
    stop: NDArray[np.intp]
    lost: NDArray[np.float64]
    limit: NDArray[np.float64]
    extended: NDArray[np.bool_]
    sign: NDArray[np.float64]

    def first(
        self, level: NDArray[np.float64], in_a_row: bool = False
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Return where each record first reaches a level, and whether it does.

        Args:
            level: Targets times `sign`, shape `(n,)`.
            in_a_row: Whether so many evaluations in a row must reach it.
        """
        values = self.lasting if in_a_row else self.best
        stop = self.stop - (self.in_a_row - 1 if in_a_row else 0)
        stop = np.maximum(stop, self.start)
        at = first_reaching(values, self.start, stop, level)
        return at, at < stop

    def cost_at(self, place: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return what records had spent at an evaluation, lost work included.

        Args:
            place: Of the evaluation, shape `(n,)`; anything where there is none.
        """
        if not self.cost.size:
            return self.lost
        return self.cost[np.clip(place, 0, self.cost.size - 1)] + self.lost


def record_curves(
    records: pd.DataFrame,
    curves: pd.DataFrame,
    modes: Mapping[str, str],
    sustained: int = 1,
) -> RecordCurves:
    """Return the evaluations that count for each record; see `retarget`."""
    check_columns("records", records, _RECORDS, "Results.records")
    check_columns("curves", curves, _CURVES, "Results.curves")
    check_least("sustained", sustained, 1)
    spent = records["cost"].to_numpy(dtype=float)
    lost = np.zeros(len(records))
    if "lost" in records.columns:
        lost = records["lost"].to_numpy(dtype=float)
    known = np.isfinite(spent) & np.isfinite(lost)
    if not known.all():
        key = records["key"].iloc[int(known.argmin())]
        raise ValueError(f"`cost` and `lost` must be finite; they are not in {key!r}.")
    key, keys = pd.factorize(records["key"], sort=True)
    sign = _signs(records["workload"], modes)
    of_key = np.ones(len(keys))
    of_key[key] = sign
    if (of_key[key] != sign).any():
        raise ValueError(
            f"`modes` must agree where workloads share records; got {dict(modes)!r}."
        )
    curve, cost, value = _sorted(pd.Index(keys), curves)
    value = of_key[curve] * value
    value[_ended(curve, value)] = -np.inf
    start, end = np.searchsorted(curve, key), np.searchsorted(curve, key, side="right")
    _check_curves_are_there(records, start == end)
    # Sums of the same costs may differ in the last bit.
    beyond = np.nextafter(spent * (1 + 1e-12) - lost, np.inf)
    stop = first_reaching(cost, start, end, beyond)
    extended = (records["end"].to_numpy() == "target") & (stop < end)
    worst = value.copy()
    for ahead in range(1, sustained):
        worst[:-ahead] = np.minimum(
            worst[:-ahead],
            np.where(curve[ahead:] == curve[:-ahead], value[ahead:], -np.inf),
        )
        worst[-ahead:] = -np.inf
    return RecordCurves(
        cost=cost,
        best=_running_best(curve, value),
        lasting=_running_best(curve, worst),
        in_a_row=sustained,
        start=start,
        stop=np.where(extended, end, stop),
        lost=lost,
        limit=spent,
        extended=extended,
        sign=sign,
    )


def first_reaching(
    rising: NDArray[np.float64],
    start: NDArray[np.intp],
    stop: NDArray[np.intp],
    level: NDArray[np.float64],
) -> NDArray[np.intp]:
    """Return the first place of each stretch where it reaches its level.

    Args:
        rising: Numbers that never fall within a stretch, shape `(m,)`.
        start: Where each stretch begins, shape `(n,)`.
        stop: Behind its end, shape `(n,)`; also the answer where nothing reaches it.
        level: Shape `(n,)`.
    """
    low, high = start, stop
    while (low < high).any():  # bisection of all stretches at once
        middle = (low + high) // 2
        is_open = low < high
        below = rising[np.minimum(middle, rising.size - 1)] < level
        low = np.where(is_open & below, middle + 1, low)
        high = np.where(is_open & ~below, middle, high)
    return low


def _signs(workloads: pd.Series, modes: Mapping[str, str]) -> NDArray[np.float64]:
    for workload in workloads.unique():
        if modes.get(workload) not in MODES:
            raise ValueError(
                "`modes` must be 'max' or 'min' for every workload; "
                f"got {modes.get(workload)!r} for {workload!r}."
            )
    return np.asarray(metric_signs(workloads, modes), dtype=np.float64)


def _sorted(
    keys: pd.Index, curves: pd.DataFrame
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Return curve, cost and value of the evaluations, curve after curve by step."""
    curve = keys.get_indexer(pd.Index(curves["key"]))
    step = curves["step"].to_numpy(dtype=float)
    order = np.lexsort((step, curve))
    order = order[np.searchsorted(curve[order], 0) :]  # -1: the curve of no record
    curve, step = curve[order], step[order]
    cost = curves["cost"].to_numpy(dtype=float)[order]
    value = curves["validation_metric"].to_numpy(dtype=float)[order]
    within = curve[1:] == curve[:-1]
    for wrong, rule in (
        (within & ~(np.diff(step) > 0), "`step` must grow within each curve"),
        (within & ~(np.diff(cost) >= 0), "`cost` must never fall within a curve"),
    ):
        if wrong.any():
            key = keys[curve[wrong.argmax()]]
            raise ValueError(f"{rule} and be finite; it does not in {key!r}.")
    if not np.isfinite(cost).all():
        key = keys[curve[np.isfinite(cost).argmin()]]
        raise ValueError(f"`cost` must be finite; it is not in the curve {key!r}.")
    return curve, cost, value


def _check_curves_are_there(records: pd.DataFrame, absent: NDArray[np.bool_]) -> None:
    lost = records["key"].to_numpy()[absent & records["hit"].to_numpy(dtype=bool)]
    if len(lost):
        raise ValueError(
            f"`curves` must hold the curve of every record that hit; got none of "
            f"{lost[0]!r}."
        )


def _ended(curve: NDArray[np.intp], value: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether a value, or one before it in its curve, is not finite."""
    broken = np.cumsum(~np.isfinite(value))
    first = np.searchsorted(curve, curve)
    before = broken[first] - ~np.isfinite(value[first])
    return np.asarray(broken > before)


def _running_best(
    curve: NDArray[np.intp], value: NDArray[np.float64]
) -> NDArray[np.float64]:
    best = pd.Series(value).groupby(curve).cummax()
    return np.asarray(best, dtype=np.float64)
