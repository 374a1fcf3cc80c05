"""Samplers by name: each works in a stream, and what cannot work is refused."""

import optuna
import pytest
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from hpo_vs_adapt.plan.distributions import distribution_of
from hpo_vs_adapt.plan.streams import OptunaStream, Outcome
from hpo_vs_adapt.plugins.samplers import SAMPLERS, check_sampler, sampler_settings
from hpo_vs_adapt.study import Space

MIXED = {
    "lr": Space("float", low=1e-5, high=1.0, log=True),
    "batch_size": Space("int", low=16, high=64, step=16),
    "nesterov": Space("categorical", choices=(True, False)),
    "betas": Space("categorical", choices=((0.9, 0.99), (0.8, 0.9), (0.5, 0.9))),
}
EARLY = {"nsgaii": {"population_size": 4}, "nsgaiii": {"population_size": 4}}
EARLY |= {name: {"n_startup_trials": 4} for name in ("tpe", "gp", "cmaes")}


class OwnSampler(optuna.samplers.RandomSampler):
    """A sampler of one's own, named by reference."""


class Unrepeatable(optuna.samplers.BaseSampler):
    """A sampler that cannot be seeded."""

    def __init__(self): ...

    def infer_relative_search_space(self, study, trial):
        return {}

    def sample_relative(self, study, trial, search_space):
        return {}

    def sample_independent(self, study, trial, name, distribution):
        return distribution.low


def run(stream, value=lambda proposal: -((dict(proposal.settings)["lr"] - 0.1) ** 2)):
    """Run a stream to its end and return its proposals."""
    proposals = []
    while not stream.finished:
        for proposal in stream.ready():
            stream.tell(proposal.number, Outcome(value(proposal)))
            proposals.append(proposal)
    return proposals


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_fills_a_stream_over_a_mixed_space(name, batch):
    args = EARLY.get(name, {})
    proposals = run(OptunaStream(name, args, MIXED, 12, batch, seed=3, mode="max"))
    assert [p.number for p in proposals] == list(range(12))
    for proposal in proposals:
        settings = dict(proposal.settings)
        assert sorted(settings) == ["betas", "lr", "nesterov"]
        assert 1e-5 <= settings["lr"] <= 1
        assert proposal.batch_size in (16, 32, 48, 64)
        assert isinstance(settings["nesterov"], bool)
        assert settings["betas"] in MIXED["betas"].choices
    # A sampler that is seeded alike for each trial repeats itself in some dimension.
    assert len({dict(p.settings)["lr"] for p in proposals[:4]}) == 4
    assert len({dict(p.settings)["betas"] for p in proposals}) >= 2
    assert len({(p.settings, p.batch_size) for p in proposals}) >= 6
    again = run(OptunaStream(name, args, MIXED, 12, batch, seed=3, mode="max"))
    assert again == proposals
    other = run(OptunaStream(name, args, MIXED, 12, batch, seed=4, mode="max"))
    assert [p.settings for p in other] != [p.settings for p in proposals]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tpe", "gp", "cmaes"])
def test_samplers_that_learn_come_closer_than_where_they_began(name):
    space = {"lr": MIXED["lr"], "momentum": Space("float", low=0.0, high=1.0)}

    def value(proposal):
        chosen = dict(proposal.settings)
        return (chosen["lr"] - 0.01) ** 2 + (chosen["momentum"] - 0.8) ** 2

    stream = OptunaStream(name, EARLY[name], space, 32, 1, seed=0, mode="min")
    values = [value(p) for p in run(stream, value)]
    assert sum(values[-8:]) < sum(values[:8]) / 2


def test_a_qmc_stream_is_one_sequence_with_each_stratum_met_once():
    space = {"x": Space("float", low=0.0, high=1.0)}
    stream = OptunaStream("qmc", {}, space, 17, 17, seed=5, mode="max")
    drawn = [dict(p.settings)["x"] for p in stream.ready()]
    strata = [int(16 * x) for x in drawn[1:]]  # the first is drawn at random
    assert sorted(strata) == list(range(16))


def test_a_sampler_may_be_named_by_its_reference():
    name = f"{__name__}:OwnSampler"
    check_sampler(name, {})
    assert len(run(OptunaStream(name, {}, MIXED, 3, 1, seed=0, mode="max"))) == 3


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("tpee", {}, ["'tpee'", "did you mean `tpe`?", "package.module:Class"]),
        ("grid", {}, ["by: grid"]),
        ("bruteforce", {}, ["by: grid"]),
        ("optuna.samplers:GridSampler", {}, ["by: grid"]),
        ("optuna.samplers:BruteForceSampler", {}, ["by: grid"]),
        ("optuna.samplers:PartialFixedSampler", {}, ["leave it out of `space`"]),
        ("collections:OrderedDict", {}, ["BaseSampler"]),
        ("optuna.samplers:NoSuchSampler", {}, ["NoSuchSampler"]),
        (f"{__name__}:Unrepeatable", {}, ["`seed`", "repeated"]),
        ("tpe", {"n_startup": 3}, ["'n_startup'", "did you mean `n_startup_trials`?"]),
        ("tpe", {"seed": 3}, ["leave `seed` out"]),
        ("tpe", {"n_startup_trials": "ten"}, ["must be int", "'ten'"]),
        ("tpe", {"n_startup_trials": True}, ["must be int", "True"]),
        ("tpe", {"gamma": 3}, ["'gamma'", "object of Python"]),
        ("nsgaii", {"population_size": 1}, ["population_size", "greater than"]),
        ("qmc", {"qmc_type": "sobool"}, ["sobool"]),
    ],
)
def test_a_sampler_that_cannot_work_is_refused_with_the_reason(name, args, words):
    with pytest.raises(ValueError, match=r"must|leads|no ") as refusal:
        check_sampler(name, args)
    for word in words:
        assert word in str(refusal.value)


def test_arguments_that_shape_the_search_are_stated_not_left_to_optuna():
    assert sampler_settings("tpe", {"n_startup_trials": 3}) == {
        "n_startup_trials": 3,
        "multivariate": True,
        "constant_liar": True,
    }
    for name in SAMPLERS:
        check_sampler(name, sampler_settings(name, {}))


@pytest.mark.parametrize(
    ("domain", "distribution"),
    [
        (
            Space("float", low=1e-5, high=1.0, log=True),
            FloatDistribution(1e-5, 1.0, True),
        ),
        (
            Space("float", low=0.0, high=1.0, step=0.25),
            FloatDistribution(0, 1, step=0.25),
        ),
        (Space("int", low=16, high=64, step=16), IntDistribution(16, 64, step=16)),
        (Space("int", low=16, high=512, log=True), IntDistribution(16, 512, log=True)),
        (
            Space("categorical", choices=("a", None)),
            CategoricalDistribution(("a", None)),
        ),
        ((0.1, 0.01, 1), FloatDistribution(0.01, 1, log=True)),
        ((0.0, 0.5, 0.9), FloatDistribution(0.0, 0.9)),
        ((32, 64), IntDistribution(32, 64)),
        ((True, False), CategoricalDistribution((True, False))),
        (
            ((0.9, 0.99), (0.8, 0.9)),
            CategoricalDistribution(("[0.9, 0.99]", "[0.8, 0.9]")),
        ),
    ],
)
def test_spaces_and_lists_become_the_distributions_that_plots_need(
    domain, distribution
):
    assert distribution_of(domain) == distribution
