"""SLS: the Armijo condition on quadratics, what is charged, and its edges."""

import pytest
import torch

from hpo_vs_adapt.optim import build_rule
from hpo_vs_adapt.optim.base import Layout, Run
from hpo_vs_adapt.optim.line_search import SLS
from hpo_vs_adapt.optim.testing import RULE_CHECKS
from hpo_vs_adapt.optim.trial_problem import ProblemOracle

LAYOUT = Layout(("weight",), ((2,),))


@pytest.mark.parametrize("check", RULE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("settings", [{}, {"growth": 1, "warmup": 0.3}], ids=str)
def test_it_keeps_the_contract(settings, check):
    if check.__name__ in SLS.exemptions:
        with pytest.raises(AssertionError):
            check(SLS, settings)
    else:
        check(SLS, settings)


class Quadratic(ProblemOracle):
    """`h w^2 / 2`, one curvature a lane; counts whom the searches are charged to."""

    def __init__(self, h, w):
        self.h, self.w, self.charged = h, w, torch.zeros(len(h), 1)

    @property
    def loss(self):
        return self.at(self.w)

    def at(self, w):
        return (self.h * w * w).sum(-1, keepdim=True) / 2

    def forward(self, w, wanted=None):
        self.charged += wanted
        return self.at(w)


def one_step(settings, h, start=1.0):
    """Rate, weights and charges after one step, one lane a curvature."""
    h = torch.tensor(h, dtype=torch.float64)[:, None]
    rule = build_rule(SLS, [settings] * len(h), Run(10, 5), torch.float64)
    w = torch.full((len(h), 2), start, dtype=torch.float64)
    state = rule.init(w, LAYOUT)
    oracle = Quadratic(h, w.clone())
    w, state = rule.update(w, h * w, state, oracle)
    return rule.observe(state), w, oracle.charged


def test_the_rate_is_the_first_that_meets_the_condition():
    # On h w^2 / 2 the condition is lr h <= 2 (1 - c): here lr <= 1 / h.
    settings = {"c": 0.5, "growth": 1, "backtrack": 0.5}
    shown, w, charged = one_step(settings, [0.8, 0.75, 3.0, 100.0])
    assert shown["lr"].flatten().tolist() == [1, 1, 0.25, 2**-7]
    assert w[:, 0].tolist() == pytest.approx([0.2, 0.25, 0.25, 1 - 100 / 128])
    assert charged.flatten().tolist() == [1, 1, 3, 8]
    assert torch.equal(shown["trials"], charged.double())


def test_the_condition_asks_for_the_share_c_of_the_linear_decrease():
    shown, *_ = one_step({"c": 0.1, "growth": 1}, [1.9, 1.7])
    # 2 (1 - 0.1) = 1.8: lr 1 fails for h = 1.9, and 0.9 meets it.
    assert shown["lr"].flatten().tolist() == pytest.approx([0.9, 1])


def test_the_rate_grows_by_the_factor_in_an_epoch_up_to_its_bound():
    h = torch.full((1, 1), 1e-6, dtype=torch.float64)
    rule = build_rule(
        SLS, [{"growth": 3, "lr": 2, "lr_max": 7}], Run(10, 5), torch.float64
    )
    w = torch.ones(1, 2, dtype=torch.float64)
    state = rule.init(w, LAYOUT)
    rates = []
    for _ in range(8):
        w, state = rule.update(w, h * w, state, Quadratic(h, w.clone()))
        rates.append(rule.observe(state)["lr"].item())
    assert rates[4] == pytest.approx(6, rel=1e-12)  # 5 steps are an epoch
    assert rates[5:] == pytest.approx([7, 7, 7])


def test_the_search_ends_after_a_hundred_trials():
    class Uphill(Quadratic):
        def at(self, w):
            return -super().at(w)

    h = torch.ones(1, 1, dtype=torch.float64)
    rule = build_rule(SLS, [{"growth": 1}], Run(10, 5), torch.float64)
    w = torch.ones(1, 2, dtype=torch.float64)
    oracle = Uphill(h, w.clone())
    _, state = rule.update(w, h * w, rule.init(w, LAYOUT), oracle)
    assert oracle.charged.item() == 100
    assert state["lr"].item() == pytest.approx(0.9**100, rel=1e-12)


def test_an_infinite_trial_is_a_failed_one():
    class Cliff(Quadratic):
        def at(self, w):
            return torch.where(w.abs() > 0.6, torch.nan, super().at(w))[..., :1]

        @property
        def loss(self):
            return Quadratic.at(self, self.w)

    h = torch.ones(1, 1, dtype=torch.float64)
    rule = build_rule(SLS, [{"growth": 1, "lr": 3, "backtrack": 0.5}], Run(10, 5))
    w = torch.ones(1, 2)
    _, state = rule.update(w, w.clone(), rule.init(w, LAYOUT), Cliff(h, w.clone()))
    assert state["lr"].item() == 1.5  # w = -0.5 is on firm ground


def test_lanes_without_a_gradient_do_not_search():
    _, w, charged = one_step({}, [0.0, 1.0])
    assert charged.flatten().tolist() == [0, 1]
    assert w[0].tolist() == [1, 1]


def test_a_loss_twice_as_large_halves_the_rate_bitwise():
    settings = {"growth": 1, "lr": 0.5}
    one, w, _ = one_step({**settings, "lr": 1.0}, [3.0])
    other, also, _ = one_step(settings, [6.0])
    assert torch.equal(one["lr"], 2 * other["lr"])
    assert torch.equal(w, also)
