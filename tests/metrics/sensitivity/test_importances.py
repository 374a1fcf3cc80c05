import math

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.metrics.sensitivity.importances import (
    IMPORTANCE_COLUMNS,
    hyperparameter_importances,
)
from tests.metrics.builder import shuffled, table, trial


def tuned(metric, number=40, arm="tpe", seed=0, by="optuna", **given):
    """Trials of a random search; `metric` maps settings to the best metric."""
    rng = np.random.default_rng(seed)
    rows = []
    for place in range(number):
        settings = {
            "lr": float(10 ** rng.uniform(-5, 0)),
            "momentum": float(rng.uniform(0, 1)),
            "norm": ["layer", "batch"][rng.integers(2)],
            "decay": 1e-4,
        }
        best = metric(settings)
        rows.append(
            trial(arm, place, by=by, settings=settings, best_metric=best, **given)
        )
    return rows


def by_rate(settings):
    return -abs(math.log10(settings["lr"]) + 2)


def by_norm(settings):
    return float(settings["norm"] == "layer")


def found_for(*rows, **given):
    found = hyperparameter_importances(table(*rows), **given)
    return found.set_index("hyperparameter")


@pytest.mark.parametrize(("metric", "first"), [(by_rate, "lr"), (by_norm, "norm")])
@pytest.mark.parametrize("mode", ["max", "min"])
def test_what_decides_the_metric_is_the_most_important(metric, first, mode):
    sign = 1 if mode == "max" else -1
    rows = tuned(lambda settings: sign * metric(settings))
    found = found_for(*rows, modes={"digits": mode})
    assert found.index.tolist() == ["lr", "momentum", "norm"]  # decay never varied
    for measure in ("fanova", "ped_anova"):
        assert found[measure].sum() == pytest.approx(1)
        assert found[measure].idxmax() == first
    assert found.loc[first, "fanova"] > 0.9
    assert (found["trials"] == 40).all()


def test_fanova_weighs_every_decade_of_a_rate_alike():
    # All that happens below 1e-3 is lost to fANOVA on plain rates: a thousandth of it.
    rows = tuned(lambda s: float(s["lr"] > 1e-4) + 0.3 * s["momentum"], number=80)
    found = found_for(*rows)["fanova"]
    below, size = 1 / 5, 0.3**2 / 12
    expected = below * (1 - below) / (below * (1 - below) + size)
    assert found["lr"] == pytest.approx(expected, abs=0.05)


def test_a_single_hyperparameter_explains_all():
    rows = [
        {**row, "settings": {"lr": row["settings"]["lr"]}} for row in tuned(by_rate)
    ]
    found = found_for(*rows)
    assert found.loc["lr", ["fanova", "ped_anova"]].tolist() == [1, 1]


def test_the_batch_size_is_a_hyperparameter_where_it_is_tuned():
    rows = tuned(by_rate)
    for place, row in enumerate(rows):
        row["batch_size"] = [32, 64, 128, 256][place % 4]
        row["best_metric"] += 3 * math.log2(row["batch_size"])
    found = found_for(*rows)
    assert found["fanova"].idxmax() == "batch_size"


def test_a_diverged_trial_counts_with_the_worst_metric_and_a_crashed_one_not_at_all():
    rows = tuned(by_rate)
    plain = found_for(*rows)
    wild = [row for row in rows if row["settings"]["momentum"] > 0.5]
    for row in wild:
        row |= {"failed": True, "end": "diverged", "best_metric": math.nan}
    found = found_for(*rows)
    assert found.loc["momentum", "fanova"] > plain.loc["momentum", "fanova"] + 0.2
    assert (found["trials"] == 40).all()
    for row in wild:
        row["end"] = "crashed"
    found = found_for(*rows)
    assert (found["trials"] == 40 - len(wild)).all()


def test_a_metric_from_before_the_divergence_changes_nothing():
    rows = tuned(by_rate)
    ends = {"failed": True, "end": "diverged"}
    rows[3] |= {**ends, "best_metric": math.nan}
    expected = hyperparameter_importances(table(*rows))
    rows[3] |= {**ends, "best_metric": 0.0}  # the best of all, until it diverged
    found = hyperparameter_importances(table(*rows))
    pd.testing.assert_frame_equal(found, expected)


def test_too_little_to_say_is_nan():
    few = found_for(*tuned(by_rate, number=3))
    assert few[["fanova", "ped_anova"]].isna().all(axis=None)
    assert (few["trials"] == 3).all()
    equal = found_for(*tuned(lambda settings: 0.5))
    assert equal[["fanova", "ped_anova"]].isna().all(axis=None)
    lost = found_for(*tuned(lambda settings: math.nan))
    assert lost[["fanova", "ped_anova"]].isna().all(axis=None)


def test_a_hyperparameter_with_one_value_is_nan_on_its_workload_alone():
    rows = tuned(by_rate)
    wine = [
        {**row, "workload": "wine", "settings": {**row["settings"], "norm": "layer"}}
        for row in tuned(by_rate, seed=1)
    ]
    found = hyperparameter_importances(table(*rows, *wine))
    found = found.set_index(["workload", "hyperparameter"])["fanova"]
    assert math.isnan(found["wine", "norm"])
    assert found["digits", "norm"] >= 0
    assert found["wine"].sum() == pytest.approx(1)


def test_where_all_trials_tie_with_the_best_tenth_ped_anova_knows_nothing():
    rows = tuned(lambda settings: 0.5)
    rows[0]["best_metric"] = 0.6  # one of forty: the fourth best is the worst as well
    found = found_for(*rows)
    assert found["ped_anova"].isna().all()
    assert found["fanova"].sum() == pytest.approx(1)


def test_values_that_differ_by_little_are_told_apart():
    # scikit-learn's trees do not split what differs by less than 1e-7.
    rows = tuned(by_norm)
    for row in rows:
        row["settings"] = {**row["settings"], "eps": 1e-9 * (1 + row["number"] % 5)}
        row["best_metric"] = row["number"] % 5 + 0.01 * row["best_metric"]
    assert found_for(*rows)["fanova"].idxmax() == "eps"


def test_only_tuned_arms_have_importances_and_records_count_once():
    rows = tuned(by_rate)
    again = [{**row, "stream": 1} for row in rows]
    others = tuned(by_rate, by="single", arm="clara")
    others += tuned(by_rate, by="portfolio", arm="defaults")
    others += tuned(by_rate, arm="tpe", role="sweep")
    found = hyperparameter_importances(table(*rows, *again, *others))
    pd.testing.assert_frame_equal(found, hyperparameter_importances(table(*rows)))


def test_neither_order_nor_other_arms_change_anything_and_seeds_repeat():
    rows, others = tuned(by_rate), tuned(by_norm, arm="random", by="random", seed=1)
    found = hyperparameter_importances(table(*rows, *others))
    mixed = hyperparameter_importances(shuffled(table(*rows, *others)))
    pd.testing.assert_frame_equal(mixed, found, check_exact=True)
    alone = hyperparameter_importances(table(*rows))
    of_arm = found[found["arm"] == "tpe"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, of_arm, check_exact=True)
    other = hyperparameter_importances(table(*rows), seed=1)
    assert not other["fanova"].equals(alone["fanova"])


def test_nothing_tuned_is_an_empty_table():
    for trials in (table(), table(trial())):
        found = hyperparameter_importances(trials)
        assert found.empty
        assert tuple(found.columns) == IMPORTANCE_COLUMNS


def test_optuna_speaks_as_loudly_afterwards_as_before():
    import optuna

    level = optuna.logging.get_verbosity()
    hyperparameter_importances(table(*tuned(by_norm, number=8)))
    assert optuna.logging.get_verbosity() == level
