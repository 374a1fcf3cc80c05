import math

import numpy as np
import pandas as pd
import pytest

from hpo_vs_adapt.metrics import arm_bills, arm_passes, ert_interval, first_probability
from hpo_vs_adapt.metrics.targets.difficulty import TARGET_SWEEP_COLUMNS, target_sweep
from hpo_vs_adapt.metrics.targets.retargeting import retarget
from tests.metrics.builder import shuffled, table, trial

MODES = {"digits": "max", "wine": "max"}
TARGETS = {"digits": 0.7, "wine": 0.7}


def study(seed=0, evaluations=30, workload="digits"):
    """Three streams of every way to tune and two arms with seeds, with noisy curves."""
    rng = np.random.default_rng(seed)
    rows, curves = [], []
    for arm in ("grid", "random", "optuna", "portfolio", "clara", "sgd"):
        single = arm in ("clara", "sgd")
        by = "single" if single else arm
        for stream in range(1 if single else 3):
            for number in range(5 if single else 3):
                key = f"{workload}/{arm}/{stream}/{number}"
                given = {"by": by, "stream": -1 if single else stream, "key": key}
                cost = 100.0 * evaluations
                rows.append(trial(arm, number, cost=cost, workload=workload, **given))
                best, rate = rng.uniform(0.5, 0.95), rng.uniform(0.05, 0.4)
                steps = np.arange(evaluations + 1)
                value = best * (1 - np.exp(-rate * steps))
                value += rng.normal(0, 0.01, len(steps))
                if rng.random() < 0.1:
                    value[evaluations // 2 :] = np.nan
                curves.append(
                    pd.DataFrame(
                        {
                            "key": key,
                            "step": steps,
                            "cost": 100.0 * steps,
                            "validation_metric": value,
                        }
                    )
                )
    return table(*rows), pd.concat(curves)


def swept(records, curves, points=6, **given):
    return target_sweep(records, curves, MODES, TARGETS, points, **given)


def test_bills_are_those_of_the_passes_at_every_target():
    records, curves = study()
    found = swept(records, curves, points=3)
    assert tuple(found.columns) == TARGET_SWEEP_COLUMNS
    for target, rows in found.groupby("target"):
        at = retarget(records, curves, {"digits": target}, MODES)
        bills = arm_bills(at).set_index("arm")
        rows = rows.set_index("arm")
        assert rows["bill"].to_dict() == pytest.approx(
            bills["bill"].to_dict(), nan_ok=True
        )
        for name in ("passes", "pass_hits"):
            assert rows[name].to_dict() == bills[name].to_dict()
        for arm, passes in arm_passes(at).groupby("arm"):
            expected = ert_interval(passes["cost"], passes["hit"])
            bounds = rows.loc[arm, ["low", "high"]].tolist()
            assert bounds == pytest.approx(expected, nan_ok=True)
        sure = first_probability(arm_passes(at)).set_index("arm")["first_probability"]
        assert rows["first_probability"].to_dict() == pytest.approx(
            sure.to_dict(), abs=0.05, nan_ok=True
        )


def test_targets_rise_from_easy_to_the_best_value_anyone_reached():
    records, curves = study()
    found = swept(records, curves, points=20)
    targets = found["target"].unique()
    assert (np.diff(targets) > 0).all()
    assert targets[-1] == curves["validation_metric"].max()
    assert 0.7 in targets
    assert len(targets) == 21
    best = curves.assign(arm=curves["key"].str.split("/").str[1])
    soon = best[best["cost"] <= 300].groupby("arm")["validation_metric"].max()
    assert soon.median() in targets
    assert targets[0] == min(soon.median(), 0.7)
    hardest = found[found["target"] == targets[-1]]
    assert (hardest["pass_hits"] > 0).sum() == 1


def test_a_loss_is_swept_downwards():
    records, curves = study()
    mirrored = curves.assign(validation_metric=-curves["validation_metric"])
    up = swept(records, curves)
    down = target_sweep(records, mirrored, {"digits": "min"}, {"digits": -0.7}, 6)
    assert (down["target"] == -up["target"]).all()
    rest = [name for name in TARGET_SWEEP_COLUMNS if name != "target"]
    pd.testing.assert_frame_equal(down[rest], up[rest])


def test_the_scale_of_the_metric_changes_no_bill():
    records, curves = study()
    stretched = curves.assign(validation_metric=np.exp(5 * curves["validation_metric"]))
    found = swept(records, curves, points=7)
    targets = {"digits": math.exp(5 * 0.7)}
    again = target_sweep(records, stretched, MODES, targets, points=7)
    own = found["target"] != 0.7
    # The easiest may be the mean of two arms, which is not the mean on another scale.
    between = own & (found["target"] != found["target"].min())
    assert again["bill"][between].equals(found["bill"][between])


def test_a_bill_never_falls_as_the_target_of_one_seed_gets_harder():
    records, curves = study()
    alone = records[(records["arm"] == "sgd") & (records["seed"] == 0)]
    bills = swept(alone, curves)["bill"]
    assert bills.is_monotonic_increasing


def test_ranks_are_by_bill_and_arms_without_a_hit_are_last_together():
    records, curves = study()
    found = swept(records, curves)
    for _, rows in found.groupby("target"):
        hit = rows[rows["pass_hits"] > 0]
        assert hit["rank"].tolist() == hit["bill"].rank(method="min").tolist()
        assert (rows.loc[rows["pass_hits"] == 0, "rank"] == len(hit) + 1).all()
        assert rows.loc[rows["pass_hits"] == 0, "bill"].isna().all()
    assert (found["pass_hits"] == 0).any()


def test_a_cheaper_failure_lowers_bills_with_misses():
    records, curves = study()
    dear, cheap = (swept(records, curves, failure_price=f) for f in (1.0, 0.1))
    missed = dear["bill"].notna() & (dear["pass_hits"] < dear["passes"])
    assert (cheap["bill"][missed] < dear["bill"][missed]).all()


def test_an_arm_that_stopped_at_an_easier_target_has_no_bill_at_a_harder_one():
    records, curves = study()
    at = retarget(records, curves, TARGETS, MODES)
    stops = (at["arm"] == "sgd") & at["hit"]
    at.loc[stops, "end"] = "target"
    at.loc[stops, "cost"] = at.loc[stops, "cost_to_target"]
    ends = at.set_index("key")["cost"]
    known = curves[curves["cost"] <= curves["key"].map(ends)]
    found = swept(at, known).set_index("arm")
    sgd = found.loc["sgd"]
    harder = sgd["target"] > 0.8
    assert (sgd.loc[harder, "censored"] > 0).all()
    unknown = ["bill", "low", "high", "rank", "first_probability"]
    assert sgd.loc[harder, unknown].isna().all(axis=None)
    easier = sgd["target"] <= 0.7
    assert (sgd.loc[easier, "censored"] == 0).all()
    assert sgd.loc[easier, "bill"].notna().all()
    others = found[(found["target"] > 0.8) & (found.index != "sgd")]
    assert others.loc[others["pass_hits"] > 0, "first_probability"].isna().all()
    assert others.loc[others["pass_hits"] > 0, ["bill", "rank"]].notna().all(axis=None)


def test_who_alone_hits_is_first_and_one_pass_leaves_it_open():
    records, curves = study()
    found = swept(records, curves)
    alone = found.groupby("target")["pass_hits"].transform(lambda h: (h > 0).sum()) == 1
    assert alone.any()
    expected = (found.loc[alone, "pass_hits"] > 0).astype(float)
    assert found.loc[alone, "first_probability"].equals(
        expected.rename("first_probability")
    )
    single = records[(records["arm"] != "sgd") | (records["seed"] == 0)]
    opened = swept(single, curves)
    sgd = opened[(opened["arm"] == "sgd") & (opened["target"] < 0.7)]
    hit = sgd[sgd["pass_hits"] > 0]
    assert len(hit)
    assert hit[["low", "high", "first_probability"]].isna().all(axis=None)


def test_workloads_are_swept_apart():
    records, curves = study()
    more, others = study(seed=4, workload="wine")
    both = swept(pd.concat([records, more]), pd.concat([curves, others]))
    for workload, alone in (("digits", (records, curves)), ("wine", (more, others))):
        part = both[both["workload"] == workload].reset_index(drop=True)
        pd.testing.assert_frame_equal(part, swept(*alone))


def test_the_order_of_rows_changes_nothing():
    records, curves = study()
    found = swept(records, curves)
    again = swept(shuffled(records), shuffled(curves))
    pd.testing.assert_frame_equal(again, found, check_exact=True)


def test_curves_that_say_nothing_leave_the_own_target():
    records = table(trial(key="k"), trial("b", key="b", cost=5.0, end="crashed"))
    curve = {"key": "k", "step": [0], "cost": [0.0], "validation_metric": [math.nan]}
    found = swept(records, pd.DataFrame(curve))
    assert found["target"].unique().tolist() == [0.7]
    assert found["bill"].isna().all()
    assert found["rank"].tolist() == [1, 1]
    assert found["first_probability"].tolist() == [0, 0]


def test_a_target_met_at_the_start_costs_nothing():
    records = table(trial(key="k"), trial("b", key="b"))
    curve = {"key": ["k", "b"], "step": 0, "cost": 0.0, "validation_metric": 0.9}
    found = swept(records, pd.DataFrame(curve))
    assert found["bill"].tolist() == [0] * 4
    assert found["rank"].tolist() == [1] * 4
    assert found[["low", "high", "first_probability"]].isna().all(axis=None)


def test_no_records_are_no_sweep():
    _, curves = study()
    found = swept(table(), curves)
    assert tuple(found.columns) == TARGET_SWEEP_COLUMNS
    assert found.empty


def test_what_cannot_be_read_is_refused():
    records, curves = study()
    with pytest.raises(ValueError, match="`points` must be at least 2"):
        swept(records, curves, points=1)
    with pytest.raises(ValueError, match="`confidence` must be between"):
        swept(records, curves, confidence=0)
    with pytest.raises(ValueError, match="`targets` must have a number"):
        target_sweep(records, curves, MODES, {})
    with pytest.raises(ValueError, match="`failure_price`"):
        swept(records, curves, failure_price=2)
