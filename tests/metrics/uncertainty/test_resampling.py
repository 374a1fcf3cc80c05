import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hpo_vs_adapt.metrics.uncertainty.resampling import INTERVAL_COLUMNS, bootstrap, iqm

INF = math.inf


def runs(values, **given):
    return pd.DataFrame({"seed": range(len(values)), "value": values} | given)


def mean(table):
    return table["value"].mean()


def of_arms(table):
    return table.groupby("arm")["value"].mean()


def test_a_bootstrap_is_one_row_or_one_per_label():
    table = runs([1.0, 2.0, 4.0, 8.0] * 2, arm=["a"] * 4 + ["b"] * 4)
    one = bootstrap(table, mean, "seed", samples=50)
    assert tuple(one.columns) == INTERVAL_COLUMNS
    assert one.shape == (1, 3)
    several = bootstrap(table, of_arms, "seed", samples=50)
    assert several.index.tolist() == ["a", "b"]
    as_dict = bootstrap(table, lambda t: of_arms(t).to_dict(), "seed", samples=50)
    assert (as_dict.to_numpy() == several.to_numpy()).all()


def test_the_bootstrap_agrees_with_scipy():
    values = np.random.default_rng(4).exponential(size=30)
    ours = bootstrap(runs(values), mean, "seed", samples=2000).iloc[0]
    theirs = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=5000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert ours["estimate"] == pytest.approx(values.mean())
    assert (ours["low"], ours["high"]) == pytest.approx(tuple(theirs), abs=0.03)


def test_trials_of_one_stream_are_resampled_together():
    # Trials of a stream are alike: taken one by one they look surer than they are.
    rng = np.random.default_rng(5)
    streams = np.repeat(np.arange(6), 10)
    table = runs(
        rng.normal(size=6)[streams], stream=streams, number=np.tile(range(10), 6)
    )
    whole = bootstrap(table, mean, "stream", samples=500).iloc[0]
    trials = bootstrap(table, mean, ["stream", "number"], samples=500).iloc[0]
    assert whole["high"] - whole["low"] > 2 * (trials["high"] - trials["low"])


def test_shared_seeds_are_resampled_in_pairs():
    luck = np.random.default_rng(6).normal(size=20)
    table = pd.concat([runs(luck, arm="a"), runs(luck + 1, arm="b")])

    def difference(rows):
        means = of_arms(rows)
        return means["b"] - means["a"]

    paired = bootstrap(table, difference, "seed", samples=100).iloc[0]
    assert paired.tolist() == pytest.approx([1, 1, 1])
    apart = bootstrap(table, difference, "seed", samples=100, within=["arm"]).iloc[0]
    assert apart["high"] - apart["low"] > 0.5


def test_unequal_seeds_are_drawn_from_all_of_them():
    table = pd.concat([runs([1.0, 2.0, 3.0, 4.0], arm="a"), runs([5.0], arm="b")])
    found = bootstrap(table, of_arms, "seed", samples=200)
    assert found.loc["a", "high"] < INF
    # In (3/4)^4 = 32 % of the resamples b has no run: of it nothing is known.
    assert found.loc["b"].tolist() == [5, -INF, INF]
    apart = bootstrap(table, of_arms, "seed", samples=100, within=["arm"])
    assert apart.loc["b"].tolist() == [5, 5, 5]


def test_a_stream_drawn_twice_is_two_streams():
    table = runs([1.0, 2.0, 3.0], stream=[0, 1, 2])
    counts = bootstrap(table, lambda t: t["stream"].nunique(), "stream", samples=50)
    assert counts.iloc[0].tolist() == [3, 3, 3]


def test_workloads_are_kept_and_resampled_apart():
    table = pd.concat(
        [runs([1.0, 2.0], workload="digits"), runs([1e3] * 3, workload="wine")]
    )
    sizes = bootstrap(table, lambda t: t.groupby("workload").size(), "seed", samples=50)
    assert sizes.loc["digits"].tolist() == [2, 2, 2]
    assert sizes.loc["wine"].tolist() == [3, 3, 3]
    over_suites = bootstrap(table, len, "workload", samples=200, within=[]).iloc[0]
    assert over_suites.tolist() == [5, 4, 6]


def test_infinite_resamples_reach_the_bounds():
    def ert(table):
        hits = table["value"].notna().sum()
        return len(table) / hits if hits else INF

    rare = bootstrap(runs([1.0] + [math.nan] * 9), ert, "seed", samples=500).iloc[0]
    assert rare["estimate"] == 10
    assert rare["high"] == INF
    assert math.isfinite(rare["low"])
    often = bootstrap(runs([1.0] * 8 + [math.nan] * 2), ert, "seed", samples=500).iloc[
        0
    ]
    assert math.isfinite(often["high"])


def test_resamples_of_which_nothing_is_known_may_be_anything():
    def ratio(table):
        return math.nan if (table["value"] == 1).all() else mean(table)

    found = bootstrap(runs([1.0, 1.0, 5.0]), ratio, "seed", samples=500).iloc[0]
    assert found["low"] == -INF
    assert found["high"] == INF


def test_one_unit_has_no_interval_nor_has_an_unknown_estimate():
    one = bootstrap(runs([5.0]), mean, "seed").iloc[0]
    assert one["estimate"] == 5
    assert one[["low", "high"]].isna().all()
    unknown = bootstrap(runs([5.0, 6.0]), lambda _: math.nan, "seed", samples=10).iloc[
        0
    ]
    assert unknown.isna().all()
    nothing = bootstrap(runs([5.0])[:0], mean, "seed").iloc[0]
    assert nothing.isna().all()


def test_the_order_of_rows_and_the_index_change_no_bit():
    rng = np.random.default_rng(8)
    table = runs(rng.random(12), settings=[{"lr": 0.1}] * 12, arm=["a", "b"] * 6)
    table["seed"] //= 2
    found = bootstrap(table, of_arms, "seed", samples=40, seed=3)
    for seed in range(3):
        mixed = table.sample(frac=1, random_state=seed)
        assert bootstrap(mixed, of_arms, "seed", samples=40, seed=3).equals(found)
    other = bootstrap(table, of_arms, "seed", samples=40, seed=4)
    assert not other.equals(found)


def test_the_stratified_interval_of_an_interquartile_mean_is_a_bootstrap():
    rng = np.random.default_rng(9)
    scores_of = rng.random((6, 4))
    table = pd.concat(
        [runs(scores_of[:, task], workload=str(task)) for task in range(4)]
    )
    found = bootstrap(table, lambda t: iqm(t["value"]), "seed", samples=1000).iloc[0]
    assert found["estimate"] == iqm(scores_of)
    draws = [
        iqm([rng.choice(scores_of[:, task], 6) for task in range(4)])
        for _ in range(1000)
    ]
    expected = np.quantile(draws, [0.025, 0.975])
    assert found[["low", "high"]].tolist() == pytest.approx(expected.tolist(), abs=0.03)


def test_resampling_refuses_what_it_cannot_do():
    table = runs([1.0, 2.0])
    for samples in (0, math.nan):
        with pytest.raises(ValueError, match="`samples` must be at least 1"):
            bootstrap(table, mean, "seed", samples=samples)
    for confidence in (0, 1, math.nan):
        with pytest.raises(ValueError, match="`confidence` must be between 0 and 1"):
            bootstrap(table, mean, "seed", confidence=confidence)
    with pytest.raises(ValueError, match="missing \\['stream'\\]"):
        bootstrap(table, mean, "stream")
