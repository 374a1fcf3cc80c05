"""A dense grid of recorded curves, on which tuners are replayed without training."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpo_vs_adapt.metrics.basics.crossings import RecordCurves, record_curves
from hpo_vs_adapt.metrics.basics.passes import role_rows
from hpo_vs_adapt.metrics.replay.grid_axes import GridAxis, grid_axes, grid_cells
from hpo_vs_adapt.metrics.tuners.best_so_far import paid_within

__all__ = ["CurveGrid", "GridTrial"]


@dataclass(frozen=True, slots=True)
class GridTrial:
    """A trial at any point of a grid; values signed so that higher is better.

    Args:
        cost: Spending at each evaluation.
        best: Best value so far at each.
        spent: What it spends in all.
        failed: Whether it diverges or crashes.
    """

    cost: NDArray[np.float64]
    best: NDArray[np.float64]
    spent: float
    failed: bool


@dataclass(frozen=True, slots=True)
class CurveGrid:
    """Curves of every combination of settings, several seeds each.

    Args:
        axes: The settings that vary; combinations are counted with the last the
            fastest.
        curves: The n records, combination after combination, in the order of seeds.
        failed: Whether each diverged or crashed, shape `(n,)`.
        first: Where each combination's records begin.
        count: How many it has.
    """

    axes: tuple[GridAxis, ...]
    curves: RecordCurves
    failed: NDArray[np.bool_]
    first: NDArray[np.intp]
    count: NDArray[np.intp]

    @classmethod
    def from_records(
        cls,
        records: pd.DataFrame,
        curves: pd.DataFrame,
        workload: str,
        arm: str,
        mode: str,
        role: str = "policy",
        scales: Mapping[str, str] | None = None,
    ) -> CurveGrid:
        """Return the grid of one arm's recorded trials.

        Rows that share a record are one curve. What was lost with a worker is in the
        costs. An arm whose settings do not vary is a grid of one combination.

        Args:
            records: One row a trial of a stream, columns as in `Results.records`.
            curves: One row an evaluation, columns as in `Results.curves`.
            workload: Whose trials.
            arm: Whose trials.
            mode: ``max`` or ``min``, of the workload's metric.
            role: ``policy`` for the trials of a grid arm, ``sweep`` for those of a
                sensitivity sweep; batch sizes are a setting like others.
            scales: ``log``, ``linear`` or ``choice`` by name. By itself an axis of
                numbers is ``log`` where all are positive and the largest is at least
                ten times the least, else ``linear``; any other is a ``choice``.

        Raises:
            ValueError: If there are no such trials, a combination is missing, a scale
                does not fit its setting, or the tables are wrong (`arm_passes`,
                `retarget`).
        """
        rows = role_rows(records, role)
        rows = rows[(rows["workload"] == workload) & (rows["arm"] == arm)]
        rows = rows.drop_duplicates("key")
        if rows.empty:
            raise ValueError(
                f"`records` must hold trials of role {role!r} of the arm on the "
                f"workload; got none of {arm!r} on {workload!r}."
            )
        given = [
            {**settings, "batch_size": size}
            for settings, size in zip(rows["settings"], rows["batch_size"], strict=True)
        ]
        axes = grid_axes(given, scales or {})
        cell = grid_cells(given, axes)
        order = np.lexsort((rows["key"], rows["seed"].to_numpy(dtype=float), cell))
        rows, cell = rows.iloc[order], cell[order]
        table = record_curves(rows, curves, {workload: mode})
        if table.cost.size:  # nothing that a trial ran on for another arm
            stop = paid_within(table, np.arange(len(rows)), table.limit)
            table = dataclasses.replace(table, stop=stop)
        count = np.bincount(cell)
        first = np.cumsum(count) - count
        return cls(axes, table, rows["failed"].to_numpy(dtype=bool), first, count)

    @property
    def budget(self) -> float:
        """What the dearest trial spends, in the unit of the records."""
        return float(self.curves.limit.max())

    @property
    def sign(self) -> float:
        """1 where a high value is good, -1 where a low one is."""
        return float(self.curves.sign[0])

    def records_at(
        self, cells: NDArray[np.intp], luck: NDArray[np.float64]
    ) -> NDArray[np.intp]:
        """Return a record of each combination.

        Args:
            cells: Combinations, any shape.
            luck: From 0 up to 1: which of a combination's seeds; the same number means
                the same seed wherever combinations have the same seeds.
        """
        return self.first[cells] + (luck * self.count[cells]).astype(np.intp)

    def crossings(self, target: float) -> NDArray[np.float64]:
        """Return what every record had spent when it first met a target; inf: never.

        Raises:
            ValueError: If the target is NaN.
        """
        if math.isnan(target):
            raise ValueError(f"`target` must be a number; got {target!r}.")
        level = np.full(self.curves.limit.size, self.sign * target)
        at, met = self.curves.first(level)
        cost = np.minimum(self.curves.cost_at(at), self.curves.limit)
        return np.where(met, cost, np.inf)

    def trial(self, settings: Mapping[str, Any], luck: float) -> GridTrial:
        """Return a trial at any point of the grid.

        Between the values of an axis the best values so far of the two neighbours are
        averaged, evaluation by evaluation, weighted by nearness on the axis's scale;
        over several axes of all corners around the point, multilinearly. A corner whose
        curve has ended keeps its best; where one has none yet, there is none. What the
        trial costs, how long it runs and whether it fails is that of the nearest corner
        (half-way: the lower one), so where trials begin to diverge lies half-way too.
        All corners are seen with one seed.

        Args:
            settings: A value for every axis; beyond the ends of an axis is its end.
            luck: As in `records_at`.

        Raises:
            ValueError: If a value is none of a choice.
        """
        corners, nearest = [], []
        for axis in self.axes:
            place = axis.place(settings[axis.name])
            below = min(int(place), len(axis.values) - 2)
            part = place - below
            corners.append([(below, 1 - part), (below + 1, part)])
            nearest.append(below + int(part > 0.5))
        own = self._record(nearest, luck)
        start, stop = int(self.curves.start[own]), int(self.curves.stop[own])
        best = np.zeros(stop - start)
        for corner in itertools.product(*corners):
            weight = math.prod(part for _, part in corner)
            if weight > 0:  # 0 times nothing yet is nothing to add
                record = self._record([place for place, _ in corner], luck)
                best += weight * self._values(record, best.size)
        return GridTrial(
            cost=self.curves.cost[start:stop] + self.curves.lost[own],
            best=best,
            spent=float(self.curves.limit[own]),
            failed=bool(self.failed[own]),
        )

    def _record(self, places: Sequence[int], luck: float) -> int:
        shape = tuple(len(axis.values) for axis in self.axes)
        cell = int(np.ravel_multi_index(tuple(places), shape)) if shape else 0
        return int(self.records_at(np.array(cell), np.array(luck)))

    def _values(self, record: int, length: int) -> NDArray[np.float64]:
        known = self.curves.best[self.curves.start[record] : self.curves.stop[record]]
        if not known.size:
            return np.full(length, -np.inf)
        return known[np.minimum(np.arange(length), known.size - 1)]
