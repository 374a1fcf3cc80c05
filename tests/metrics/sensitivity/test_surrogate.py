import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.metrics.sensitivity.surrogate import (
    PARTIAL_DEPENDENCE_COLUMNS,
    partial_dependence,
)
from tests.metrics.builder import shuffled, table, trial


def by_rate(settings):
    return 1 - abs(math.log10(settings["lr"]) + 2) / 5


def tuned(metric=by_rate, number=60, by="random", seed=0, **given):
    """Trials of a random search; `metric` maps settings to the best metric."""
    rng = np.random.default_rng(seed)
    rows = []
    for place in range(number):
        settings = {
            "lr": float(10 ** rng.uniform(-5, 0)),
            "momentum": float(rng.uniform(0, 1)),
            "norm": ["layer", "batch"][rng.integers(2)],
        }
        best = metric(settings)
        rows.append(
            trial("tuned", place, by=by, settings=settings, best_metric=best, **given)
        )
    return rows


def curve_of(found, name):
    return found[found["hyperparameter"] == name].reset_index(drop=True)


def test_the_curve_follows_the_metric_on_the_scale_of_the_hyperparameter():
    found = partial_dependence(table(*tuned()))
    assert tuple(found.columns) == PARTIAL_DEPENDENCE_COLUMNS
    rate = curve_of(found, "lr")
    assert len(rate) == 20
    logs = np.log10(rate["value"].to_numpy(dtype=float))
    assert np.diff(logs) == pytest.approx(np.diff(logs)[0])
    expected = 1 - np.abs(logs + 2) / 5
    assert np.abs(rate["metric"] - expected).max() < 0.1
    momentum = curve_of(found, "momentum")
    assert np.ptp(momentum["metric"]) < 0.05
    steps = np.diff(momentum["value"].to_numpy(dtype=float))
    assert steps == pytest.approx(steps[0])


def test_the_curve_goes_from_the_lowest_to_the_highest_value_tried():
    rows = tuned()
    rate = curve_of(partial_dependence(table(*rows), points=2), "lr")
    tried = [row["settings"]["lr"] for row in rows]
    assert rate["value"].tolist() == pytest.approx([min(tried), max(tried)])


@pytest.mark.parametrize(
    ("values", "log"),
    [
        ([1e-4, 1e-3, 1e-2, 1e-1], True),
        ([0.01, 0.1], True),
        ([0.5, 0.9, 0.99], False),
        ([0.05, 0.3, 0.5, 0.7, 0.9], False),
        ([0.0, 1e-4, 1e-3, 1e-2], False),
        ([32, 64, 128, 256, 512, 1024], True),
    ],
)
def test_numbers_that_spread_over_decades_have_a_log_scale(values, log):
    rows = tuned(number=30)
    for place, row in enumerate(rows):
        row["settings"] = {"knob": values[place % len(values)]}
    found = curve_of(partial_dependence(table(*rows)), "knob")["value"]
    scale = np.geomspace if log else np.linspace
    assert found.tolist() == pytest.approx(scale(values[0], values[-1], 20).tolist())


def test_categories_keep_their_values():
    rows = tuned(lambda s: 0.8 if s["norm"] == "layer" else 0.2)
    for place, row in enumerate(rows):
        row["settings"] = {**row["settings"], "nesterov": place % 2 == 0}
        row["settings"]["betas"] = [(0.9, 0.99), (0.8, 0.99)][place // 2 % 2]
    found = partial_dependence(table(*rows))
    norm = curve_of(found, "norm").set_index("value")["metric"]
    assert norm.to_dict() == pytest.approx({"layer": 0.8, "batch": 0.2})
    assert curve_of(found, "nesterov")["value"].tolist() == [False, True]
    assert curve_of(found, "betas")["value"].tolist() == [(0.8, 0.99), (0.9, 0.99)]


def test_the_score_tells_a_law_from_noise():
    rng = np.random.default_rng(3)
    law = partial_dependence(table(*tuned()))["cv_score"]
    noise = partial_dependence(table(*tuned(lambda s: rng.normal())))["cv_score"]
    assert law.nunique() == 1
    assert 0.8 < law.iloc[0] < 1
    assert noise.iloc[0] < 0.2


def test_seeds_of_one_configuration_are_held_out_together():
    # Metrics that are noise between configurations and equal within them: whoever has
    # seen another seed of a configuration foretells it perfectly.
    rng = np.random.default_rng(4)
    luck = {}
    rows = []
    for stream in range(4):
        for row in tuned(number=15, by="grid", stream=stream):
            best = luck.setdefault(row["settings"]["lr"], rng.normal())
            rows.append({**row, "seed": stream, "best_metric": best})
    for row in rows:
        row["key"] = f"{row['stream']}/{row['number']}"
    assert partial_dependence(table(*rows))["cv_score"].iloc[0] < 0.3


def test_a_diverged_trial_counts_with_the_worst_metric():
    rows = tuned()
    worst = min(row["best_metric"] for row in rows)
    for row in rows:
        if row["settings"]["lr"] > 1e-2:
            row |= {"failed": True, "end": "diverged"}
    rate = curve_of(partial_dependence(table(*rows)), "lr")
    assert rate["metric"].iloc[-1] == pytest.approx(worst, abs=0.02)
    assert rate["metric"].max() > 0.9


def test_where_importances_say_nothing_there_is_no_curve():
    for rows in (tuned(number=3), tuned(lambda s: 0.5), tuned(lambda s: math.nan), []):
        found = partial_dependence(table(*rows))
        assert found.empty
        assert tuple(found.columns) == PARTIAL_DEPENDENCE_COLUMNS


def test_few_configurations_have_a_curve_without_a_score():
    rows = tuned(number=3, by="grid", stream=0)
    rows += [{**row, "stream": 1, "best_metric": 0.1} for row in rows]
    for place, row in enumerate(rows):
        row["key"] = str(place)
    found = partial_dependence(table(*rows))
    assert len(found)
    assert found["cv_score"].isna().all()


def test_neither_order_nor_other_workloads_change_anything_and_seeds_repeat():
    trials = table(*tuned(), *tuned(workload="wine", seed=1))
    found = partial_dependence(trials)
    mixed = partial_dependence(shuffled(trials))
    pd.testing.assert_frame_equal(mixed, found, check_exact=True)
    alone = partial_dependence(table(*tuned()))
    digits = found[found["workload"] == "digits"]
    pd.testing.assert_frame_equal(alone, digits, check_exact=True)
    assert not partial_dependence(table(*tuned()), seed=1).equals(alone)


def test_fewer_than_two_points_are_refused():
    with pytest.raises(ValueError, match="`points` must be at least 2"):
        partial_dependence(table(*tuned()), points=1)


@pytest.mark.slow
def test_importing_it_loads_neither_sklearn_nor_optuna():
    code = (
        "import sys\n"
        "import hpo_vs_adapt.metrics\n"
        "assert not {'sklearn', 'optuna'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
