"""Laws of whole methods: a scaled loss, a rotated space; for every rule, or why not."""

from __future__ import annotations

import pytest
import torch

from hpo_vs_adapt.optim import RULES, build_rule
from hpo_vs_adapt.optim.base import Layout, Run
from hpo_vs_adapt.optim.trial_problem import ProblemOracle

P, STEPS = 6, 25
H = torch.logspace(-0.5, 0.8, P, dtype=torch.float64)
START = torch.linspace(-1.0, 2.0, P, dtype=torch.float64)
RUN = Run(STEPS, 5)


class Bowl:
    """`s / 2 <w, Q H Q^T w>`, the same at every step.

    Args:
        scale: `s`.
        turn: `Q`, orthogonal, or None.
    """

    def __init__(self, scale: float = 1.0, turn: torch.Tensor | None = None) -> None:
        hessian = scale * torch.diag(H)
        self.hessian = hessian if turn is None else turn @ hessian @ turn.T

    def lane(self, row):
        return self

    def gradient(self, w, step):
        return w @ self.hessian

    def loss(self, w, step):
        return 0.5 * (w * self.gradient(w, step)).sum(-1, keepdim=True)


def _iterates(name, settings, bowl, start):
    """Return the weights after each step, shape `(STEPS, P)`; one tensor, one lane."""
    rule = build_rule(RULES[name], [settings], RUN, torch.float64)
    w = start.clone()[None]
    state = rule.init(w, Layout(("w",), ((P,),)))
    seen = []
    for step in range(STEPS):
        oracle = ProblemOracle(bowl, step, bowl.loss(w, step))
        w, state = rule.update(w, bowl.gradient(w, step), state, oracle)
        seen.append(w[0].clone())
    return torch.stack(seen)


def _turn():
    source = torch.Generator().manual_seed(5)
    square = torch.randn(P, P, generator=source, dtype=torch.float64)
    return torch.linalg.qr(square).Q


def _assert_agree(one, other):
    """Up to rounding, which follows the largest weight of all steps until then."""
    largest = other.abs().amax(-1).cummax(0).values
    apart = (one - other).abs().amax(-1)
    assert (apart <= 1e-9 * largest).all(), (apart / largest).max()


# Directions that are linear in the gradients turn with the space.
TURNS = [
    ("sgd", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    ("gala", {"lr": 0.01, "delta": 0.1}),
    ("clara", {"lr": 0.01, "damping": 0.1, "mu": 0.111}),
    ("clara", {"lr": 0.01, "damping": 0.1, "unit_step": True, "mu": 0.111}),
    ("tlr", {"lr": 0.01, "every": 2}),
    ("hypergradient", {"lr": 0.01, "hyper_lr": 1e-4}),
    ("hypergradient", {"lr": 0.01, "hyper_lr": 0.1, "form": "multiplicative"}),
    ("gap", {"lr": 0.02}),
    ("gap", {"lr": 0.02, "norm": "exact", "exclude_current": True}),
    ("alera", {"lr": 0.01}),
    ("salera", {"lr": 0.01}),
    ("dowg", {}),
    ("adagrad_norm", {}),
    ("sls", {}),
    ("sps", {}),
    ("dadapt_sgd", {}),
    ("schedule_free_sgd", {}),
    ("alig", {}),
    ("dog", {}),
    ("ldog", {}),
    ("momo", {}),
]

COORDINATES = "its steps are measured coordinate by coordinate"
NO_TURN = {
    **dict.fromkeys(("adam", "adamw", "agadam", "nadam", "nadamw"), COORDINATES),
    **dict.fromkeys(("rmsprop", "adagrad", "cocob"), COORDINATES),
    **dict.fromkeys(("dadapt_adam", "prodigy", "adamg", "momo_adam"), COORDINATES),
    "schedule_free_adamw": COORDINATES,
    "schedule_free_radam": COORDINATES,
    "mechanic_sgd": "its tuner draws on sums over coordinates of products with signs",
    "mechanic_adam": COORDINATES,
    "muon": "vectors go to AdamW, and matrices turn on either side, not as vectors",
}


@pytest.mark.parametrize(("name", "settings"), TURNS, ids=str)
def test_iterates_turn_with_the_space(name, settings):
    turn = _turn()
    plain = _iterates(name, settings, Bowl(), START)
    turned = _iterates(name, settings, Bowl(turn=turn), START @ turn.T)
    assert (plain[-1] != START).any()
    _assert_agree(turned @ turn, plain)


def test_every_rule_turns_with_the_space_or_says_why_not():
    assert {name for name, _ in TURNS} | set(NO_TURN) == set(RULES)
    assert not {name for name, _ in TURNS} & set(NO_TURN)


S = 4.0  # a power of two: no digit changes where a law holds exactly

# What becomes of a rule's settings when the loss is multiplied by s.
SCALES = [
    ("sgd", {"lr": 0.05, "momentum": 0.9}, {"lr": 0.05 / S}),
    ("adam", {"lr": 0.05, "eps": 1e-30}, {}),
    ("adamw", {"lr": 0.05, "eps": 1e-30}, {}),
    ("gala", {"lr": 0.01, "delta": 0.1}, {"lr": 0.01 / S, "delta": 0.1 * S**3}),
    ("gala", {"lr": 0.01, "base": "adam", "eps": 1e-30}, {}),
    ("clara", {"lr": 0.01, "damping": 0.1}, {"lr": 0.01 / S}),
    ("clara", {"lr": 0.01, "damping": 0.1, "unit_step": True}, {}),
    ("tlr", {"lr": 0.01, "every": 2}, {"lr": 0.01 / S}),
    ("tlr", {"lr": 0.01, "every": 2, "base": "adam", "eps": 1e-30}, {}),
    (
        "hypergradient",
        {"lr": 0.01, "hyper_lr": 0.1, "form": "multiplicative"},
        {"lr": 0.01 / S},
    ),
    (
        "hypergradient",
        {"lr": 0.01, "hyper_lr": 1e-4},
        {"lr": 0.01 / S, "hyper_lr": 1e-4 / S**3},
    ),
    ("gap", {"lr": 0.02}, {"lr": 0.02 / S}),
    ("gap", {"lr": 0.02, "base": "adam", "eps": 1e-30}, {}),
    ("alera", {"lr": 0.01}, {"lr": 0.01 / S}),
    ("agadam", {"lr": 0.01, "eps": 1e-30}, {}),
    ("dowg", {"eps": 1e-30}, {}),
    ("adagrad_norm", {"lr": 0.5, "b0": 0.1}, {"b0": 0.1 * S}),
    ("sls", {}, {"lr": 1.0 / S, "lr_max": 10.0 / S}),
    ("sps", {}, {"lr": 1.0 / S}),
    ("nadam", {"eps": 1e-30}, {}),
    ("nadamw", {"eps": 1e-30}, {}),
    ("rmsprop", {"eps": 1e-30}, {}),
    ("adagrad", {"eps": 1e-30}, {}),
    ("prodigy", {"eps": 1e-30}, {}),
    ("schedule_free_sgd", {"lr": 0.05}, {"lr": 0.05 / S}),
    ("schedule_free_adamw", {"eps": 1e-30}, {}),
    ("schedule_free_radam", {"eps": 1e-30}, {}),
    ("dadapt_adam", {"eps": 1e-30}, {}),
    ("dadapt_sgd", {}, {}),
]

NO_SCALE = {
    "salera": "its test for a growing loss compares it with a fixed threshold",
    "alig": "its rate is capped, and a small number is added to the squared norm",
    "adamg": "adds a fixed number to its norms",
    "dog": "adds a fixed number to the sum of squared norms",
    "ldog": "adds a fixed number to the sum of squared norms",
    "momo": "its rate is capped whatever the loss is measured in",
    "momo_adam": "its rate is capped whatever the loss is measured in",
    "cocob": "its largest gradient starts from a fixed number",
    "muon": "its orthogonalisation adds a fixed number to the norm",
    "mechanic_sgd": "its tuner starts from a fixed sum",
    "mechanic_adam": "its tuner starts from a fixed sum",
}


@pytest.mark.parametrize(("name", "settings", "scaled"), SCALES, ids=str)
def test_iterates_do_not_depend_on_the_unit_of_the_loss(name, settings, scaled):
    plain = _iterates(name, settings, Bowl(), START)
    other = _iterates(name, {**settings, **scaled}, Bowl(S), START)
    assert (plain[-1] != START).any()
    _assert_agree(other, plain)


def test_every_rule_has_a_law_of_scale_or_says_why_not():
    assert {name for name, *_ in SCALES} | set(NO_SCALE) == set(RULES)
    assert not {name for name, *_ in SCALES} & set(NO_SCALE)


def test_the_laws_can_fail():
    turn = _turn()
    adam = {"lr": 0.05}
    plain = _iterates("adam", adam, Bowl(), START)
    turned = _iterates("adam", adam, Bowl(turn=turn), START @ turn.T)
    assert not torch.allclose(turned @ turn, plain, rtol=1e-2)
    plain = _iterates("sgd", {"lr": 0.05}, Bowl(), START)
    assert not torch.allclose(_iterates("sgd", {"lr": 0.05}, Bowl(S), START), plain)
