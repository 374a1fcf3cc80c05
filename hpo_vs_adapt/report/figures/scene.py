"""What the figures of a workload are drawn from, and what becomes of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hpo_vs_adapt.metrics.basics.direction import Direction
from hpo_vs_adapt.report.figures.looks import Look, looks_of
from hpo_vs_adapt.report.figures.naming import NAMED, name_arms, say_others
from hpo_vs_adapt.report.figures.scales import add_legend
from hpo_vs_adapt.report.figures.svg import svg_text
from hpo_vs_adapt.study import Study, WorkloadEntry
from hpo_vs_adapt.tables.rows import of_workload
from hpo_vs_adapt.wording import series

__all__ = [
    "Drawing",
    "Scene",
    "Unit",
    "add_names",
    "make_figure",
    "make_scene",
    "some",
]

_WIDTH = 5.6  # inches


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure of the report.

    Args:
        name: Of its file and its place in the page, without a suffix.
        workload: Label of the workload that it shows; empty for all of them.
        table: Name of the table that it was drawn from.
        title: What it is.
        caption: How to read it, for everybody.
        finding: What it shows, in words, for those who cannot see it.
        svg: The figure.
        topic: Part of the report that it belongs to: ``bills``, ``race``, ``budgets``,
            ``break_even``, ``sensitivity``, ``controllers``, ``targets``, ``suite`` or
            ``ledger``.
        unit: ``cost`` (sample gradients) or ``flops`` of a figure that is drawn in
            both, the second under the name of the first and ``-flops``; else empty.
        wide: Whether it takes the page's full width.
    """

    name: str
    workload: str
    table: str
    title: str
    caption: str
    finding: str
    svg: str
    topic: str
    unit: str = ""
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """What costs are counted in.

    Args:
        name: As in `Drawing.unit`.
        label: In words.
        factor: What a sample gradient is in it.
        suffix: Of names of figures.
    """

    name: str
    label: str
    factor: float
    suffix: str

    def scale(self, table: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
        """Return a table with these columns in the unit, from sample gradients."""
        return table.assign(**{name: table[name] * self.factor for name in columns})


@dataclass(frozen=True, slots=True)
class Scene:
    """A workload of a study, and what is known of it.

    Args:
        study: What was compared.
        entry: The workload.
        slug: Of its name, for names of figures.
        tables: Of all workloads, see `tables.catalogue`.
        looks: Of every arm.
        order: All arms; those that are worth a name in a figure come first.
        units: That costs are drawn in.
    """

    study: Study
    entry: WorkloadEntry
    slug: str
    tables: Mapping[str, pd.DataFrame]
    looks: Mapping[str, Look]
    order: tuple[str, ...]
    units: tuple[Unit, ...]

    def of(self, name: str) -> pd.DataFrame:
        """Return the rows of the workload in a table."""
        return of_workload(self.tables[name], self.entry.name)

    def named(
        self, table: pd.DataFrame, order: Iterable[str] = (), most: int = NAMED
    ) -> dict[str, Look]:
        """Return the looks of the arms of a table that are shown by name.

        Args:
            table: With a column `arm`.
            order: The arms, most important first; the scene's if it is empty.
            most: How many there may be, see `name_arms`.
        """
        there = set(table["arm"])
        ranked = (arm for arm in order or self.order if arm in there)
        return name_arms(self.looks, ranked, most)

    def drawing(
        self,
        figure: Figure,
        kind: str,
        topic: str,
        table: str,
        words: tuple[str, str, str],
        unit: Unit | None = None,
    ) -> Drawing:
        """Return a figure with its words: title, caption, finding."""
        name = f"{kind}-{self.slug}{unit.suffix if unit else ''}"
        title, caption, finding = words
        return Drawing(
            name=name,
            workload=self.entry.name,
            table=table,
            title=title,
            caption=caption,
            finding=finding,
            svg=svg_text(figure, name),
            topic=topic,
            unit=unit.name if unit else "",
        )


def make_scene(
    study: Study,
    entry: WorkloadEntry,
    slug: str,
    tables: Mapping[str, pd.DataFrame],
) -> Scene:
    """Return what the figures of a workload are drawn from."""
    bills = of_workload(tables["bills"], entry.name)
    trials = of_workload(tables["trials"], entry.name)
    return Scene(
        study=study,
        entry=entry,
        slug=slug,
        tables=tables,
        looks=looks_of([arm.name for arm in study.arms]),
        order=_spotlight(bills, study.reference, Direction(entry.metric.mode)),
        units=tuple(_units(trials)),
    )


def make_figure(height: float, width: float = _WIDTH) -> Figure:
    """Return a figure of the report's width, or another, `height` inches high."""
    return Figure(figsize=(width, height), layout="constrained")


def add_names(figure: Figure, looks: Mapping[str, Look], table: pd.DataFrame) -> str:
    """Put the names of a table's arms above a figure of lines.

    Returns:
        What the caption says of arms without a name.
    """
    add_legend(figure, looks, list(dict.fromkeys(table["arm"])))
    return say_others(looks, table["arm"])


def some(items: Iterable[str], most: int = NAMED) -> str:
    """Return a series of the first items, and how many more there are."""
    said = list(items)
    if len(said) > most:
        said = [*said[: most - 1], f"{len(said) - most + 1} more"]
    return series(said)


def _spotlight(
    bills: pd.DataFrame, reference: str | None, direction: Direction
) -> tuple[str, ...]:
    """Return all arms: the cheapest, the reference, the cheapest of each kind, others.

    Those that never met the target follow by their best metric.
    """
    best = -direction.sign * bills["best_metric"].astype(float)
    ranked = bills.assign(best=best).sort_values(
        ["bill", "best"], kind="stable", na_position="last"
    )
    kinds = ranked.drop_duplicates("kind")["arm"]
    wanted = [*ranked["arm"].head(1), *([reference] if reference else []), *kinds]
    return tuple(dict.fromkeys([*wanted, *ranked["arm"]]))


def _units(trials: pd.DataFrame) -> Iterable[Unit]:
    yield Unit("cost", "sample gradients", 1.0, "")
    cost, flops = trials["cost"].sum(), trials["flops"].sum()
    # A forward-only sample has its share of both, so the ratio is the workload's.
    if cost > 0 and math.isfinite(flops) and np.isfinite(flops / cost) and flops > 0:
        yield Unit("flops", "FLOPs", float(flops / cost), "-flops")
