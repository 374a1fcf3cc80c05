"""Every table that is made of a study's trials, by its name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from hpo_vs_adapt import metrics
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.tables.bills import make_bills
from hpo_vs_adapt.tables.chances import make_chances
from hpo_vs_adapt.tables.controllers import make_controllers, make_rates
from hpo_vs_adapt.tables.headlines import make_headlines
from hpo_vs_adapt.tables.origins import find_origins
from hpo_vs_adapt.tables.published import compare_published
from hpo_vs_adapt.tables.races import make_race, make_training
from hpo_vs_adapt.tables.spending import make_ledger
from hpo_vs_adapt.tables.study_tables import StudyTables
from hpo_vs_adapt.wording import Problem, nearest

__all__ = ["CATALOGUE", "Entry", "Tables", "UnknownTable"]

_RETRAININGS = np.unique(np.geomspace(1, 1000, 31).round())
_PRICES = np.linspace(0, 1, 21)


class UnknownTable(Problem, KeyError):
    """A name that no table has, in one sentence."""

    def __str__(self) -> str:
        return str(self.args[0])


class Tables(Mapping[str, pd.DataFrame]):
    """The tables of a study by their names; each is made when it is first asked for.

    Args:
        given: What the records say.
    """

    def __init__(self, given: StudyTables) -> None:
        self.given = given
        self._made: dict[object, pd.DataFrame] = {}
        self._names = [
            name for name, entry in CATALOGUE.items() if entry.has(given.study)
        ]

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.make(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names  # without making it

    def make(self, name: str, **parameters: float) -> pd.DataFrame:
        """Return a table that must not be changed: others are made of it.

        Args:
            name: One of `CATALOGUE`.
            parameters: Of its entry; others have their defaults.

        Raises:
            UnknownTable: If the study has no table of that name.
        """
        if name not in self:
            raise UnknownTable(f"Unknown table `{name}`; {nearest(name, self)}")
        entry = CATALOGUE[name]
        chosen = {**entry.parameters, **parameters}
        place = (name, *chosen.items())
        if place not in self._made:
            self._made[place] = entry.make(self.given, self, **chosen)
        return self._made[place]

    @cached_property
    def tuning(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Tuning curves and best probabilities, which are one simulation."""
        given = self.given
        return metrics.tuning_tables(given.records, given.curves, given.modes)


@dataclass(frozen=True, slots=True)
class Entry:
    """How a table is made, and who reads it beside the page.

    Args:
        make: Returns it from what the records say, the other tables, and `parameters`.
        listed: Whether its rows are in ``summary.json``.
        parameters: What may be chosen when it is made, with defaults.
        has: Whether a study has this table.
    """

    make: Callable[..., pd.DataFrame]
    listed: bool = False
    parameters: Mapping[str, float] = field(default_factory=dict)
    has: Callable[[Study], bool] = lambda study: True


def _begun(given: StudyTables, tables: Tables) -> pd.DataFrame:
    """Return the bills on the workloads of which there are trials."""
    bills = tables["bills"]
    return bills[bills["workload"].isin(given.trainings)]


def _ranking(given: StudyTables, tables: Tables, failure_price: float) -> pd.DataFrame:
    """Return what `metrics.ranking` does, from bills and ratios that are there."""
    bills = tables.make("bills", failure_price=failure_price)
    names = {"ratio_low": "low", "ratio_high": "high"}
    return metrics.rank_arms(
        bills.drop(columns=["ratio", *names]),
        metrics.bill_ranks(metrics.arm_passes(given.records, failure_price)),
        bills[["workload", "arm", "ratio", *names]].rename(columns=names),
        find_origins(given.study),
    )


def _trials(records: pd.DataFrame) -> pd.DataFrame:
    """Return one row a trial, its settings as JSON."""
    settings = [json.dumps(each, sort_keys=True) for each in records["settings"]]
    return records.assign(settings=settings)


def _published(given: StudyTables) -> pd.DataFrame:
    assert given.study.published is not None
    return compare_published(given, given.study.published)


CATALOGUE: Mapping[str, Entry] = {
    "bills": Entry(
        lambda g, _, failure_price: make_bills(g, failure_price),
        parameters={"failure_price": 1.0},
    ),
    "race": Entry(lambda g, _: make_race(g)),
    "training": Entry(lambda g, _: make_training(g)),
    "chances": Entry(lambda g, _: make_chances(g.records, g.progress)),
    "rates": Entry(lambda g, _: make_rates(g)),
    "controllers": Entry(lambda g, _: make_controllers(g)),
    "sensitivity": Entry(lambda g, _: metrics.sweep_table(g.records)),
    "ledger": Entry(lambda g, _: make_ledger(g)),
    "progress": Entry(lambda g, _: g.progress),
    "trials": Entry(lambda g, _: _trials(g.records)),
    "published": Entry(
        lambda g, _: _published(g), has=lambda study: study.published is not None
    ),
    "headlines": Entry(lambda g, t: make_headlines(g, t["bills"]), listed=True),
    "ranking": Entry(_ranking, parameters={"failure_price": 1.0}),
    "across_workloads": Entry(
        lambda g, t: metrics.across_workloads(
            _begun(g, t), g.trainings, g.study.reference
        ),
        listed=True,
    ),
    "budget_profiles": Entry(
        lambda g, t: metrics.budget_profiles(_begun(g, t), g.trainings)
    ),
    "improvement": Entry(lambda g, _: metrics.improvement(g.records)),
    "by_workers": Entry(
        lambda g, _, failure_price: metrics.bills_by_workers(
            g.records, failure_price=failure_price
        ),
        parameters={"failure_price": 1.0},
    ),
    "break_even": Entry(
        lambda g, t: metrics.break_even_table(g.records, t["bills"], t["by_workers"]),
        listed=True,
    ),
    "retrainings": Entry(
        lambda _, t: metrics.retraining_curves(t["bills"], _RETRAININGS)
    ),
    "failure_prices": Entry(
        lambda g, _: metrics.failure_price_curves(g.records, _PRICES)
    ),
    "target_sweep": Entry(
        lambda g, _, points: metrics.target_sweep(
            g.records, g.curves, g.modes, g.targets, points
        ),
        parameters={"points": 20},
    ),
    "tuning_curves": Entry(lambda _, t: t.tuning[0]),
    "best_probability": Entry(lambda _, t: t.tuning[1]),
    "lr_numbers": Entry(
        lambda g, _: metrics.sensitivity_numbers(g.records, g.curves, g.modes),
        listed=True,
    ),
    "knob_numbers": Entry(
        lambda g, _: metrics.knob_table(g.records, g.curves, g.modes), listed=True
    ),
    "lr_drift": Entry(lambda _, t: metrics.lr_drift(t["lr_numbers"])),
    "batch_size_spread": Entry(
        lambda _, t: metrics.batch_size_spread(t["sensitivity"])
    ),
    "sensitivity_plane": Entry(
        lambda g, _: metrics.adkins_plane(g.records, g.modes, g.batch_sizes),
        listed=True,
    ),
    "importances": Entry(
        lambda g, _: metrics.hyperparameter_importances(g.records, g.modes),
        listed=True,
    ),
    "partial_dependence": Entry(
        lambda g, _: metrics.partial_dependence(g.records, g.modes)
    ),
    "seeds_needed": Entry(
        lambda g, _, ratio, power: metrics.seeds_needed(
            g.records, ratio, power, reference=g.study.reference
        ),
        listed=True,
        parameters={"ratio": 1.1, "power": 0.8},
    ),
    "best_of_k": Entry(
        lambda g, _: metrics.best_of_k_table(g.records, g.modes, g.bounds)
    ),
    "tunability": Entry(
        lambda g, _: metrics.tunability_table(g.records, g.modes), listed=True
    ),
    "effective_dimension": Entry(
        lambda g, _: metrics.dimension_table(g.records, g.modes, g.batch_sizes),
        listed=True,
    ),
    "iqm": Entry(lambda g, _: metrics.iqm_table(g.records, g.modes), listed=True),
    "iqm_across": Entry(
        lambda g, _: metrics.iqm_across(g.records, g.modes), listed=True
    ),
    "survival": Entry(lambda g, _: metrics.survival_table(g.records)),
    "restricted_means": Entry(
        lambda g, _: metrics.restricted_mean_table(g.records, g.trainings),
        listed=True,
    ),
}
"""The tables of a study; each is a CSV file of its report under the same name.

Columns are told where a table is made; `given` comes first, then the other tables.
"""
