"""Portfolios: arms tried in turn, and what that costs until one of them hits."""

import math

import pytest

from hpo_vs_adapt.study import Study
from tests.running import make_study, optuna_trials, ray_here, train
from tests.studies import STUDY, changed, problems

ARMS = [
    {"name": "slow", "optimizer": {"rule": "sgd", "lr": 1e-6}},
    {"name": "adam", "optimizer": {"rule": "adam", "lr": 0.05}},
    {"name": "fast", "optimizer": {"rule": "sgd", "lr": 0.5, "momentum": 0.9}},
    {"name": "portfolio", "any_of": ["slow", "adam", "fast"]},
]
WORKLOAD = {"name": "iris_logreg", "budget": {"epochs": 20}, "target": 0.8}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("portfolio")
    study = make_study(
        folder, ARMS, [WORKLOAD], seeds=[0, 1], resources={"packs": 1, "lanes": 8}
    )
    with ray_here():
        return study, *train(study)


@pytest.mark.slow
def test_a_portfolio_trains_nothing_that_its_members_have_trained(done):
    _, results, summary = done
    rows = results.records
    members = rows[rows["arm"] != "portfolio"]
    policy = rows[(rows["arm"] == "portfolio") & (rows["role"] == "policy")]
    assert len(policy) == 3 * 2
    assert set(policy["key"]) == set(members["key"])
    retrains = rows[rows["role"] == "retrain"]
    assert summary.trials == len(members) + retrains["key"].nunique()
    assert (policy["kind"] == "tuned").all()
    assert (policy["by"] == "portfolio").all()


@pytest.mark.slow
def test_a_portfolio_pays_for_the_members_tried_before_the_first_that_hits(done):
    _, results, _ = done
    rows = results.records
    expected = []
    for seed in (0, 1):
        own = rows[(rows["seed"] == seed) & (rows["role"] == "policy")]
        own = own[own["arm"] != "portfolio"].set_index("arm")
        assert not own.loc["slow", "hit"]
        assert own.loc["adam", "hit"]
        expected.append(own.loc["slow", "cost"] + own.loc["adam", "cost_to_target"])
    bills = results.costs().set_index("arm")
    assert bills.loc["portfolio", "bill"] == pytest.approx(math.fsum(expected) / 2)
    assert math.isnan(bills.loc["slow", "bill"])  # never met


@pytest.mark.slow
def test_the_winner_is_trained_again_as_the_member_that_it_is(done):
    _, results, _ = done
    rows = results.records[results.records["arm"] == "portfolio"]
    for stream, group in rows.groupby("stream"):
        policy = group[group["role"] == "policy"]
        best = policy.sort_values(["best_metric", "number"], ascending=[False, True])
        (retrain,) = group[group["role"] == "retrain"].to_dict("records")
        assert retrain["settings"] == best.iloc[0]["settings"]
        assert retrain["rule"] == best.iloc[0]["rule"]
        assert retrain["seed"] != stream


@pytest.mark.slow
def test_its_optuna_study_shows_which_member_each_trial_was(done):
    study, _, _ = done
    trials = optuna_trials(study)["tiny/iris_logreg/portfolio/0"]
    assert [t.params["arm"] for t in trials] == ["slow", "adam", "fast"]
    assert all(t.state.name == "COMPLETE" for t in trials)


def _with(**portfolio):
    return changed("arms.4", {"name": "both", **portfolio})


def test_a_portfolio_keeps_the_order_of_its_members():
    study = Study.from_dict(_with(any_of=["adam", "tlr"]))
    arm = study.arms[-1]
    assert [member.name for member in arm.members] == ["adam", "tlr"]
    assert arm.rules == ("adam", "tlr")
    assert (arm.kind, arm.by) == ("tuned", "portfolio")


@pytest.mark.parametrize(
    ("portfolio", "sentence"),
    [
        ({"any_of": ["adam"]}, "`arms[4].any_of` must name at least two arms"),
        ({"any_of": []}, "`arms[4].any_of` must name at least two arms; got []."),
        ({"any_of": ["adam", "tlrr"]}, "`arms[4].any_of[1]`: there is no arm `tlrr`"),
        ({"any_of": ["adam", "adam"]}, "`arms[4].any_of[1]` must not name `adam`"),
        ({"any_of": ["adam", "sgd-grid"]}, "`arms[4].any_of[1]` must be an arm with"),
        ({"any_of": ["adam", "both"]}, "`arms[4].any_of[1]` must be an arm with"),
        (
            {"any_of": ["adam", "tlr"], "optimizer": {"rule": "sgd"}},
            "`arms[4].optimizer` must not stand beside `any_of`; remove one.",
        ),
        ({}, "`arms[4].optimizer` is missing; an arm has one, or `any_of`."),
    ],
)
def test_a_wrong_portfolio_is_named_with_its_rule(portfolio, sentence):
    (found,) = problems(_with(**portfolio))
    assert found.startswith(sentence), found


def test_a_portfolio_cannot_be_swept_nor_be_the_place_of_a_wrong_member():
    study = _with(any_of=["adam", "tlr"])
    study["sensitivity"] = [{"arms": ["both"], "vary": {"lr": [0.1, 0.2]}}]
    (found,) = problems(study)
    assert found.startswith("`sensitivity[0].arms[0]` must be an arm with a rule")
    study = _with(any_of=["adam", "tlr"])
    study["arms"][2] = {"name": "tlr", "optimizer": {"rule": "trl"}}
    assert len(problems(study)) == 1  # the member's own problem, said once
    assert len(STUDY["arms"]) == 4
