"""GALA as it is analysed: normalised SGD with momentum, three gradients a step.

Jiang, Kavis, Mokhtari, 2025, arXiv 2506.08419. The package has the practical form; this
one shows that its quadratics are those of the analysis.
"""

import itertools
import math
from dataclasses import dataclass

import pytest
import torch

H = torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64)


@dataclass
class Round:
    """One round: `d` is the direction, `a` and `c` the quadratic's coefficients."""

    x: torch.Tensor
    eta: float
    d: torch.Tensor
    a: float
    c: float


def train(gradient, x, eta0, alpha, delta, steps, seed=0):
    """Rounds of the analysed algorithm, with the leader over `(0, infinity)`.

    `m <- (1 - alpha) m + alpha g`, `d = m / ||m||`, `x <- x - eta d`; a fresh sample at
    a point drawn on the step and at its start gives `a = <grad, d>` and `L`, and the
    quadratic is `-eta a + (L + 2 (1 - alpha) / alpha L) eta^2 / 2`: the momentum's
    drift asks for the second curvature, for which the same pair serves.

    Args:
        gradient: Takes weights and the sample's number.
    """
    source = torch.Generator().manual_seed(seed)
    m, eta, sums, rounds = gradient(x, 0), eta0, [delta * eta0, delta], []
    for t in range(steps):
        m = (1 - alpha) * m + alpha * gradient(x, 2 * t)
        d = m / m.norm()
        between = x - torch.rand((), generator=source, dtype=x.dtype) * eta * d
        there = gradient(between, 2 * t + 1)
        here = gradient(x, 2 * t + 1)
        curvature = ((there - here).norm() / (between - x).norm()).item()
        a, c = (there @ d).item(), (1 + 2 * (1 - alpha) / alpha) * curvature
        rounds.append(Round(x, eta, d, a, c))
        x = x - eta * d
        sums = [sums[0] + a, sums[1] + c]
        eta = max(1e-12, sums[0] / sums[1])
    return rounds


def exact(x, _):
    return H * x


def noisy(x, sample):
    source = torch.Generator().manual_seed(sample)
    return H * x + 0.1 * torch.randn(3, generator=source, dtype=x.dtype)


def loss(x):
    return (H * x * x).sum().item() / 2


START = torch.tensor([3.0, -2.0, 1.0], dtype=torch.float64)


def test_the_loss_falls_by_the_mean_alignment_along_the_step():
    # F(x - eta d) - F(x) = -eta E_s <grad F(x - s eta d), d>; the mean over s of a
    # gradient that is linear is that at the middle.
    rounds = train(exact, START, 0.1, 1.0, 0.1, 6)
    for now, after in itertools.pairwise(rounds):
        middle = now.x - 0.5 * now.eta * now.d
        fall = -now.eta * (exact(middle, 0) @ now.d).item()
        assert loss(after.x) - loss(now.x) == pytest.approx(fall, rel=1e-9)


def test_the_alignment_is_at_least_the_gradient_less_its_change():
    for now in train(exact, START, 0.1, 1.0, 0.1, 40):
        slope = (exact(now.x, 0) @ now.d).item()
        assert now.a >= slope - now.c * now.eta - 1e-12


@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_the_rate_is_the_least_point_of_the_summed_quadratics(alpha):
    eta0, delta = 0.05, 2.0
    rounds = train(noisy, START, eta0, alpha, delta, 12)
    grid = torch.linspace(0, 2, 400_001, dtype=torch.float64)
    total = delta / 2 * (grid - eta0) ** 2
    for now in rounds:
        assert now.eta == pytest.approx(grid[total.argmin()].item(), abs=1e-5)
        total += -now.a * grid + now.c * grid**2 / 2


def test_without_momentum_there_is_one_curvature_within_the_spectrum():
    for now in train(exact, START, 0.1, 1.0, 0.1, 30):
        assert 0.5 - 1e-9 <= now.c <= 4 + 1e-9
    momentum = train(exact, START, 0.1, 0.5, 0.1, 1)[0]
    plain = train(exact, START, 0.1, 1.0, 0.1, 1)[0]
    assert momentum.c == pytest.approx(3 * plain.c, rel=1e-12)


@pytest.mark.parametrize("eta0", [1e-3, 0.1, 10.0])
def test_gradients_fall_whatever_the_first_rate(eta0):
    steps = 400
    alpha = min(1 / (0.1 * math.sqrt(steps)), 1)
    rounds = train(noisy, START, eta0, alpha, 1e-3, steps)
    late = [exact(now.x, 0).norm().item() for now in rounds[-50:]]
    assert sum(late) / len(late) < 0.2 * exact(START, 0).norm().item()
