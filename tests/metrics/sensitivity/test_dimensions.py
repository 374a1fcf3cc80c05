"""The effective dimension of arms that were swept or tuned, from records."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.metrics.basics.scores import normalised_scores
from hpo_vs_adapt.metrics.sensitivity.dimensions import (
    DIMENSION_COLUMNS,
    dimension_table,
)
from hpo_vs_adapt.metrics.sensitivity.hyperparameters import subset_curve
from tests.metrics.builder import table, trial

RATES, MOMENTA = (1e-3, 1e-2, 1e-1, 1.0), (0.0, 0.5, 0.9)
BEST_RATE = {"digits": 1e-3, "wine": 1.0}


def metric(workload, lr, momentum):
    """The rate must be another one on each workload; the momentum hardly matters."""
    away = abs(math.log10(lr / BEST_RATE[workload]))
    return 0.9 - 0.2 * away - 0.01 * abs(momentum - 0.9)


def product(arm="a", role="sweep", by="single", found=metric, workloads=BEST_RATE):
    points = itertools.product(workloads, RATES, MOMENTA, (0, 1))
    return [
        trial(
            arm,
            n,
            None,
            by=by,
            role=role,
            workload=workload,
            stream=seed if by != "single" else -1,
            seed=seed,
            settings={"lr": lr, "momentum": momentum},
            best_metric=found(workload, lr, momentum) + 0.001 * seed,
        )
        for n, (workload, lr, momentum, seed) in enumerate(points)
    ]


def only(found):
    assert len(found) == 1
    return found.iloc[0]


@pytest.mark.parametrize("role", ["sweep", "policy"])
def test_the_dimension_is_that_of_normalised_mean_scores(role):
    rows = product(role=role, by="grid" if role == "policy" else "single")
    trials = table(*rows)
    row = only(dimension_table(trials))
    scores = normalised_scores(trials.assign(metric=trials["best_metric"]), {})
    given = [tuple(one.values()) for one in trials["settings"]]
    keys = pd.MultiIndex.from_tuples(given, names=["lr", "momentum"])
    flat = pd.DataFrame({"workload": list(trials["workload"]), "score": list(scores)})
    grid = flat.set_index(keys).groupby(["lr", "momentum", "workload"])["score"]
    means = grid.mean().unstack()
    known = subset_curve(means.index.to_frame(index=False), means)
    assert row["dimension"] == pytest.approx(known.dimension)
    assert 0 < row["dimension"] < 1
    assert row["needed"] == "lr"
    told = (row["role"], row["settings"], row["workloads"], row["configurations"])
    assert told == (role, 2, 2, 12)
    assert (row["note"], math.isnan(row["cv_score"])) == ("", True)


def test_where_one_configuration_is_best_everywhere_nothing_needs_tuning():
    row = only(
        dimension_table(table(*product(found=lambda _, *given: metric("wine", *given))))
    )
    assert (row["dimension"], row["needed"], row["note"]) == (0, "", "")


def test_both_settings_are_needed_where_both_must_differ():
    best = {"digits": (1e-3, 0.0), "wine": (1.0, 0.9)}

    def found(workload, lr, momentum):
        rate, other = best[workload]
        return 0.9 - 0.1 * abs(math.log10(lr / rate)) - 0.4 * abs(momentum - other)

    row = only(dimension_table(table(*product(found=found))))
    assert 1 < row["dimension"] <= 2
    assert row["needed"] == "lr, momentum"


def test_low_metrics_are_good_where_the_mode_says_so():
    up = dimension_table(table(*product()))
    down = dimension_table(
        table(*product(found=lambda *given: 1 - metric(*given))),
        dict.fromkeys(BEST_RATE, "min"),
    )
    assert up["needed"].iloc[0] == down["needed"].iloc[0] == "lr"
    assert down["dimension"].iloc[0] == pytest.approx(up["dimension"].iloc[0], abs=0.02)


def random_search(trials=60, arm="r", workloads=BEST_RATE):
    rng = np.random.default_rng(0)
    rows = []
    for workload, stream in itertools.product(workloads, range(3)):
        for number in range(trials // 3):
            lr, momentum = 10 ** rng.uniform(-3, 0), rng.uniform(0, 0.9)
            given = {"lr": float(lr), "momentum": float(momentum)}
            value = metric(workload, lr, momentum)
            place = {"stream": stream, "workload": workload, "by": "random"}
            rows.append(
                trial(arm, number, None, **place, settings=given, best_metric=value)
            )
    return rows


def test_searches_without_repeated_values_go_through_a_surrogate():
    row = only(dimension_table(table(*random_search())))
    assert row["needed"] == "lr"
    assert 0 < row["dimension"] <= 1
    assert row["cv_score"] > 0.8
    assert row["configurations"] == 81


def test_a_search_of_noise_says_that_its_surrogate_is_worth_nothing():
    rng = np.random.default_rng(1)
    rows = [one | {"best_metric": rng.random()} for one in random_search()]
    assert only(dimension_table(table(*rows)))["cv_score"] < 0.2


def noted(rows, **given):
    row = only(dimension_table(table(*rows), **given))
    assert math.isnan(row["dimension"])
    assert row["needed"] == ""
    return row["note"]


def test_the_table_says_why_there_is_no_dimension():
    one_setting = [one for one in product() if one["settings"]["momentum"] == 0.9]
    assert noted(one_setting) == "fewer than two settings vary"
    assert noted(product(workloads=["wine"])) == "one workload alone"
    assert noted(random_search(3)) == "fewer than 4 trials on a workload"
    apart = [
        one | {"settings": {name: one["settings"][name]}, "key": f"{one['key']}{name}"}
        for one in product()
        for name in ("lr", "momentum")
    ]
    alone = "no two settings were varied together on two workloads"
    assert noted(apart) == alone
    first = [one for one in product() if one["settings"]["lr"] < 0.05]
    second = [one for one in product() if one["settings"]["lr"] > 0.05]
    disjoint = [one for one in first if one["workload"] == "wine"]
    disjoint += [one for one in second if one["workload"] == "digits"]
    assert noted(disjoint) == alone


def test_an_arm_at_the_bad_end_of_the_scale_has_no_dimension():
    good = product(found=lambda *given: metric(*given) + 10)
    bad = product("bad", found=lambda *given: 0.0)
    # So many good trials that the 5th percentile is above all bad ones.
    more = [one | {"key": f"{one['key']}/{n}"} for n in range(25) for one in good]
    found = dimension_table(table(*more, *bad)).set_index("arm")
    assert found.loc["bad", "note"] == "no score is above 0"
    assert found.loc["a", "needed"] == "lr"


def test_too_many_combinations_of_settings_are_left():
    rows = [
        one | {"settings": {f"s{n}": float(n * place) for n in range(1, 15)}}
        for place, one in enumerate(random_search())
    ]
    assert noted(rows) == "more than 10000 combinations of settings"


def test_batch_sizes_are_a_setting_where_every_workload_has_several():
    def sized(one, size):
        return one | {"batch_size": size, "key": f"{one['key']}/{size}"}

    rows = [one for one in product() if one["settings"]["momentum"] == 0.9]
    everywhere = [sized(one, size) for one in rows for size in (32, 64)]
    sizes = dict.fromkeys(BEST_RATE, 64)
    assert only(dimension_table(table(*everywhere), {}, sizes))["settings"] == 2
    once = [
        one
        for one in everywhere
        if (one["workload"], one["batch_size"]) != ("wine", 32)
    ]
    row = only(dimension_table(table(*once), {}, sizes))
    assert (row["settings"], row["note"]) == (1, "fewer than two settings vary")


def test_portfolios_and_arms_without_tuning_are_not_in_the_table():
    rows = product(role="policy", by="single") + product("p", "policy", "portfolio")
    found = dimension_table(table(*rows))
    assert found.empty
    assert tuple(found.columns) == DIMENSION_COLUMNS


def test_a_threshold_out_of_range_is_refused_by_name():
    with pytest.raises(ValueError, match="`threshold` must be above 0 and at most 1"):
        dimension_table(table(), threshold=0.0)
