"""Every table that is made from a study's records, on records of every awkward kind."""

import math

import pandas as pd
import pytest

from hpo_vs_adapt.metrics.basics.passes import arm_passes
from hpo_vs_adapt.metrics.costs.bills import arm_bills, reference_ratios
from hpo_vs_adapt.metrics.costs.break_even import break_even_table
from hpo_vs_adapt.metrics.costs.break_even_curves import (
    failure_price_curves,
    retraining_curves,
)
from hpo_vs_adapt.metrics.costs.paired import paired_ratios
from hpo_vs_adapt.metrics.costs.plans import full_plans
from hpo_vs_adapt.metrics.costs.ranking import ranking
from hpo_vs_adapt.metrics.costs.workers import bills_by_workers
from hpo_vs_adapt.metrics.sensitivity.dimensions import dimension_table
from hpo_vs_adapt.metrics.sensitivity.importances import hyperparameter_importances
from hpo_vs_adapt.metrics.sensitivity.sensitivity_numbers import (
    knob_table,
    sensitivity_numbers,
)
from hpo_vs_adapt.metrics.sensitivity.sensitivity_plane import adkins_plane
from hpo_vs_adapt.metrics.sensitivity.surrogate import partial_dependence
from hpo_vs_adapt.metrics.sensitivity.sweeps import sweep_table
from hpo_vs_adapt.metrics.suites.across import across_workloads
from hpo_vs_adapt.metrics.targets.difficulty import target_sweep
from hpo_vs_adapt.metrics.targets.retargeting import retarget
from hpo_vs_adapt.metrics.tuners.arm_tuning import best_of_k_table, tunability_table
from hpo_vs_adapt.metrics.tuners.tuning_curves import best_probability, tuning_curves
from hpo_vs_adapt.metrics.uncertainty.arm_survival import (
    restricted_mean_table,
    survival_table,
)
from hpo_vs_adapt.metrics.uncertainty.interquartile import iqm_across, iqm_table
from hpo_vs_adapt.metrics.uncertainty.intervals import first_probability
from hpo_vs_adapt.metrics.uncertainty.power import seeds_needed
from hpo_vs_adapt.records.trials import CURVE_COLUMNS
from tests.metrics.builder import BUDGET, runs, shuffled, study, table, trial

NAN = math.nan
MODES = {"digits": "max", "wine": "max"}
TARGETS = {"digits": 0.8, "wine": 0.8}


def break_even(trials, curves):
    return break_even_table(trials, arm_bills(trials), bills_by_workers(trials))


def across(trials, curves):
    return across_workloads(arm_bills(trials), dict.fromkeys(MODES, BUDGET), "a")


def few_targets(trials, curves):
    return target_sweep(trials, curves, MODES, TARGETS, points=3, samples=100)


def few_curves(trials, curves):
    return tuning_curves(trials, curves, MODES, points=5, samples=20)


def few_chances(trials, curves):
    return best_probability(trials, curves, MODES, points=5, samples=20)


TABLES = {
    "passes": lambda trials, curves: arm_passes(trials),
    "full plans": lambda trials, curves: full_plans(trials),
    "whole lists": lambda trials, curves: full_plans(trials, retrain=False),
    "bills": lambda trials, curves: arm_bills(trials, modes=MODES),
    "first": lambda trials, curves: first_probability(arm_passes(trials)),
    "ratios": lambda trials, curves: reference_ratios(trials, "a"),
    "paired ratios": lambda trials, curves: paired_ratios(trials, "a"),
    "ranking": lambda trials, curves: ranking(trials, "a", MODES),
    "workers": lambda trials, curves: bills_by_workers(trials),
    "break-even": break_even,
    "retrainings": lambda trials, curves: retraining_curves(arm_bills(trials), [0, 9]),
    "prices": lambda trials, curves: failure_price_curves(trials, [0.0, 0.5, 1.0]),
    "seeds": lambda trials, curves: seeds_needed(trials, reference="a"),
    "retarget": lambda trials, curves: retarget(trials, curves, TARGETS, MODES),
    "targets": few_targets,
    "across": across,
    "sweep": lambda trials, curves: sweep_table(trials),
    "sensitivity": lambda trials, curves: sensitivity_numbers(trials, curves, MODES),
    "knobs": lambda trials, curves: knob_table(trials, curves, MODES),
    "plane": lambda trials, curves: adkins_plane(trials, MODES),
    "importances": lambda trials, curves: hyperparameter_importances(trials, MODES),
    "dependence": lambda trials, curves: partial_dependence(trials, MODES, points=2),
    "dimension": lambda trials, curves: dimension_table(trials, MODES),
    "best of k": lambda trials, curves: best_of_k_table(trials, MODES),
    "tunability": lambda trials, curves: tunability_table(trials, MODES),
    "iqm": lambda trials, curves: iqm_table(trials, MODES, samples=50),
    "iqm across": lambda trials, curves: iqm_across(trials, MODES, samples=50),
    "survival": lambda trials, curves: survival_table(trials),
    "restricted means": lambda trials, curves: restricted_mean_table(
        trials, dict.fromkeys(MODES, BUDGET)
    ),
    "tuning curves": few_curves,
    "best": few_chances,
}


def swept(arm, *metrics, name="lr"):
    points = enumerate(zip([1e-3, 1e-2, 1e-1], metrics, strict=True))
    return [
        trial(arm, n, None, role="sweep", settings={name: value}, best_metric=metric)
        for n, (value, metric) in points
    ]


def everything():
    """Every kind of arm and of trial, so that no table is empty."""
    tuned = [
        trial("tuned", n, 300.0, by="random", settings={"lr": 10.0**-n, "beta": n % 3})
        | {"best_metric": 0.8 + 0.01 * n}
        for n in range(6)
    ]
    sweeps = swept("a", 0.5, 0.9, 0.5) + swept("b", 0.5, 0.9, 0.5, name="beta")
    lone = runs("a", 300, 500, None) + runs("b", 400, 450)
    lone += runs("a", 300, 400, workload="wine")
    return table(*study().to_dict("records"), *tuned, *sweeps, *lone)


CRASHED = {"end": "crashed", "failed": True, "cost": 0.0, "best_metric": NAN}
AWKWARD = {
    "no trial": [],
    "one hit": runs("a", 300),
    "one miss": runs("a", None),
    "no hit at all": runs("a", None, None) + runs("b", None, None, by="random"),
    "hits alone, all alike": runs("a", 300, 300) + runs("b", 300, 300, by="grid"),
    "unequal seeds": runs("a", 300, 500, None) + runs("b", 400) + runs("c", *[200] * 5),
    "nothing but crashes": [trial("a", n, **CRASHED) for n in range(3)],
    "crashes among others": [*runs("a", 300, 400, by="random"), trial("b", **CRASHED)],
    "sweeps alone": swept("a", 0.5, 0.9, 0.5),
    "sweeps that all diverged": swept("a", NAN, NAN, NAN),
    "retrains alone": runs("a", 300, by="grid", role="retrain"),
    "a shared record": runs("a", 300, key="k") + runs("b", 300, key="k"),
    "workloads apart": runs("a", 300, 400) + runs("b", 300, 400, workload="wine"),
    "twenty passes": runs("a", *[300, 400] * 10) + runs("b", *[None, 200] * 10),
    "everything": everything().to_dict("records"),
}


def curves_of(trials):
    """Three evaluations a record, the last one as good as its best; none if crashed."""
    rows = []
    for _, row in trials.drop_duplicates("key").iterrows():
        at = row["cost_to_target"] if row["hit"] else row["cost"]
        if math.isnan(row["best_metric"]):
            continue
        for step, share in enumerate((0.0, 0.5, 1.0)):
            metric = share * row["best_metric"]
            known = {"step": step, "samples": share * at, "cost": share * at}
            known |= {"validation_metric": metric, "validation_loss": 1 - metric}
            rows.append({"key": row["key"], **known})
    return pd.DataFrame(rows, columns=["key", *CURVE_COLUMNS]).astype(
        {name: float for name in CURVE_COLUMNS}
    )


def make(name, trials):
    return TABLES[name](trials, curves_of(trials))


@pytest.mark.parametrize("kind", AWKWARD)
@pytest.mark.parametrize("name", TABLES)
def test_the_table_is_made_and_does_not_depend_on_the_order_of_rows(name, kind):
    trials = table(*AWKWARD[kind])
    found = make(name, trials)
    assert isinstance(found, pd.DataFrame)
    again = make(name, shuffled(trials))
    if name == "retarget":  # keeps the rows as they come
        again = again.loc[found.index]
    pd.testing.assert_frame_equal(again, found, check_exact=True)


@pytest.mark.parametrize("name", TABLES)
def test_a_study_without_trials_has_the_same_columns(name):
    empty, full = make(name, table()), make(name, everything())
    assert empty.empty
    assert not full.empty
    # What was swept is a column, and nothing else comes and goes.
    fixed = [one for one in full.columns if one not in ("lr", "beta")]
    assert fixed == [*empty.columns]


@pytest.mark.parametrize("name", TABLES)
def test_the_records_that_are_given_are_left_as_they_are(name):
    trials = everything()
    curves = curves_of(trials)
    before = trials.copy(deep=True), curves.copy(deep=True)
    TABLES[name](trials, curves)
    pd.testing.assert_frame_equal(trials, before[0])
    pd.testing.assert_frame_equal(curves, before[1])
