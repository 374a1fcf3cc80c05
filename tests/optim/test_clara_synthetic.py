"""CLARA's published results on two-dimensional functions, to the printed digit."""

import pytest
import torch

from hpo_vs_adapt.optim import RULES, build_rule
from hpo_vs_adapt.optim.base import Layout, Run

STEPS = 20
CLIP = 5.0  # largest norm of the gradient


def rosenbrock(x, y):
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def himmelblau(x, y):
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def camel(x, y):
    return 2 * x**2 - 1.05 * x**4 + x**6 / 6 + x * y + y**2


FUNCTIONS = {
    "sphere": (lambda x, y: x**2 + y**2, 5.0, (0.0, 0.0)),
    "ellipsoid": (lambda x, y: x**2 + 1e3 * y**2, 5.0, (0.0, 0.0)),
    "rosenbrock": (rosenbrock, 2.0, (1.0, 1.0)),
    "himmelblau": (himmelblau, 6.0, (3.0, 2.0)),
    "camel": (camel, 3.0, (0.0, 0.0)),
}
RULE = {
    "adam": ("adam", {}),
    "adam_clara": (
        "clara",
        {"base": "adam", "unit_step": True, "mu": "table", "damping": 2 * 0.2553},
    ),
}
# function, rule, start, printed distance to the optimum
CASES = [
    ("sphere", "adam", (1, 1), "1.0"),
    ("sphere", "adam_clara", (-1, -1), "0.4"),
    ("ellipsoid", "adam", (1, 1), "5.0"),
    ("ellipsoid", "adam_clara", (-1, -1), "0.4"),
    ("rosenbrock", "adam", (-1, 1), "3.2"),
    ("rosenbrock", "adam_clara", (-1, 1), "2.8"),
    ("himmelblau", "adam", (-4, 4), "9.1"),
    ("himmelblau", "adam_clara", (-4, 4), "6.0"),
    ("camel", "adam", (1, 1), "3.0"),
    ("camel", "adam_clara", (1, 1), "1.7"),
]


@pytest.mark.parametrize(("function", "rule", "start", "printed"), CASES)
def test_the_final_distance_is_the_printed_one(function, rule, start, printed):
    loss, box, optimum = FUNCTIONS[function]
    name, settings = RULE[rule]
    built = build_rule(RULES[name], {"lr": 100.0, **settings}, Run(STEPS, STEPS))
    w = torch.tensor(start, dtype=torch.float32)
    state = built.init(w, Layout(("x",), ((2,),)))
    for _ in range(STEPS):
        leaf = w.clone().requires_grad_()
        (g,) = torch.autograd.grad(loss(leaf[0], leaf[1]), leaf)
        g = g * (CLIP / (g.norm() + 1e-6)).clamp(max=1)
        w, state = built.update(w, g, state, lambda w: (w, w))
        w = w.clamp(-box, box)
    assert f"{(w - torch.tensor(optimum)).norm():.1f}" == printed
