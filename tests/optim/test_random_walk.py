"""The random walk behind CLARA's constants: simulated, in closed form, and kept."""

import json
import math
import subprocess
import sys

import pytest
import torch
from scipy.special import gammaln, hyp2f1

from hpo_vs_adapt.optim.random_walk import (
    MU_TABLE,
    SIGMA_TABLE,
    RandomWalk,
    published_sigma,
    simulate_walk,
    stationary_mu,
    true_sigma,
)
from hpo_vs_adapt.optim.walk_cache import cache_directory, find_walk

BETAS = (0.9, 0.999)


@pytest.fixture
def quick(monkeypatch):
    """Simulations of fewer walks: the same code, a larger error."""
    monkeypatch.setattr("hpo_vs_adapt.optim.random_walk._DRAWS", 20_000)


def mean_cosine(rho, size):
    """Of two Gaussian vectors whose entries have correlation `rho`."""
    scale = math.exp(
        2 * gammaln((size + 1) / 2) - gammaln(size / 2) - gammaln(size / 2 + 1)
    )
    return rho * scale * hyp2f1(0.5, 0.5, size / 2 + 1, rho * rho)


def exact_mu(size, c, beta):
    """Squared path length if Adam's second moment stood still."""
    pairs = (
        (1 - c) ** lag * mean_cosine(beta**lag, size)
        for lag in range(1, math.ceil(40 / c))
    )
    return c / (2 - c) * (1 + 2 * sum(pairs))


@pytest.mark.slow
@pytest.mark.parametrize("c", [0.1, 0.2, 0.5])
@pytest.mark.parametrize("size", [1, 2, 15, 49])
def test_the_simulation_agrees_with_gaussian_vectors(size, c):
    walk = simulate_walk(size, c, BETAS)
    assert walk.mu == pytest.approx(exact_mu(size, c, 0.9), abs=0.0025)


def test_a_walk_of_one_dimension_has_the_arcsine_law():
    # E cos = 2 / pi arcsin(rho): half of the steps at lag 1 would agree at rho 0.
    assert mean_cosine(0.5, 1) == pytest.approx(2 / math.pi * math.asin(0.5))
    assert mean_cosine(0.5, 10**6) == pytest.approx(0.5, abs=1e-6)


@pytest.mark.slow
def test_the_simulation_meets_the_closed_form_where_it_hands_over():
    closed = stationary_mu(torch.tensor([0.2], dtype=torch.float64), 0.9).item()
    walk = simulate_walk(49, 0.2, BETAS)
    assert walk.mu == pytest.approx(closed, abs=0.005)
    assert walk.mu < closed  # a smaller dimension, a shorter path
    assert walk.sigma == pytest.approx(true_sigma(0.2, 0.9, 49), rel=0.03)


@pytest.mark.slow
def test_the_simulation_is_near_the_reference_codes_values():
    # Theirs average over the start of the walk too.
    for size in (2, 15):
        walk = simulate_walk(size, 0.2, BETAS)
        assert walk.mu == pytest.approx(MU_TABLE[size], abs=0.011)
        assert walk.sigma == pytest.approx(SIGMA_TABLE[size], rel=0.03)


def test_the_sigma_of_sgd_and_the_published_one():
    assert true_sigma(0.2, 0, 62) == pytest.approx(0.0177, abs=1e-4)
    assert published_sigma(0.2, 62) == pytest.approx(0.0125, abs=1e-4)
    for c in (0.05, 0.2, 0.7):
        mu = c / (2 - c)
        law = 2 * mu * (1 - c) / math.sqrt(62 * (1 + (1 - c) ** 2))
        assert true_sigma(c, 0, 62) == pytest.approx(law, rel=1e-9)
        assert true_sigma(c, 0, 62) == pytest.approx(
            math.sqrt(2) * published_sigma(c, 62), rel=1e-9
        )


def test_the_sigma_of_adam_fits_the_reference_codes_simulations():
    assert true_sigma(0.2, 0.9, 1) == pytest.approx(0.30, abs=0.002)
    for size in (62, 650):
        sigma = true_sigma(0.2, 0.9, size)
        assert sigma == pytest.approx(SIGMA_TABLE[size], rel=0.08)


def test_the_true_sigma_is_that_of_random_unit_vectors():
    source = torch.Generator().manual_seed(0)
    c, size, walks = 0.3, 40, 4000
    path = torch.zeros(walks, size)
    for _ in range(40):
        u = torch.randn(walks, size, generator=source)
        path = (1 - c) * path + c * u / u.norm(dim=-1, keepdim=True)
    sigma = path.square().sum(-1).std().item()
    assert true_sigma(c, 0, size) == pytest.approx(sigma, rel=0.05)


def test_a_path_of_the_newest_step_alone_has_one_length(quick):
    assert true_sigma(1.0, 0.9, 10) == 0
    assert simulate_walk(3, 1.0, BETAS) == RandomWalk(1.0, 0.0)


def test_a_walk_is_simulated_once_and_found_again(quick, tmp_path, monkeypatch):
    first = find_walk(2, 0.5, BETAS, tmp_path)
    assert first == simulate_walk(2, 0.5, BETAS)
    monkeypatch.delattr("hpo_vs_adapt.optim.walk_cache.simulate_walk")
    assert find_walk(2, 0.5, BETAS, tmp_path) == first
    assert len(list(tmp_path.iterdir())) == 1  # and no partial file
    with pytest.raises(NameError):
        find_walk(3, 0.5, BETAS, tmp_path)


@pytest.mark.parametrize("damage", ["cut", "empty", "list", "changed", "renamed"])
def test_a_damaged_file_is_written_anew(quick, tmp_path, damage):
    first = find_walk(2, 0.5, BETAS, tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_text()
    if damage == "renamed":  # the walk of other arguments under this name
        other = find_walk(3, 0.5, BETAS, tmp_path / "other")
        assert other != first
        (text,) = (p.read_text() for p in (tmp_path / "other").iterdir())
    else:
        text = {
            "cut": whole[: len(whole) // 2],
            "empty": "",
            "list": "[1, 2]",
            "changed": json.dumps({**json.loads(whole), "mu": 0.123}),
        }[damage]
    path.write_text(text)
    assert find_walk(2, 0.5, BETAS, tmp_path) == first
    assert path.read_text() == whole


def test_without_a_place_to_keep_it_a_walk_is_simulated(quick, tmp_path):
    (tmp_path / "file").write_text("in the way")
    walk = find_walk(2, 0.5, BETAS, tmp_path / "file")
    assert walk == simulate_walk(2, 0.5, BETAS)


def test_walks_are_kept_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "hpo_vs_adapt" / "random_walks"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for unset in ("", "not/absolute"):
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        home = tmp_path / "home" / ".cache" / "hpo_vs_adapt" / "random_walks"
        assert cache_directory() == home


@pytest.mark.slow
def test_other_processes_with_other_threads_find_the_same(monkeypatch):
    code = (
        "from hpo_vs_adapt.optim.random_walk import simulate_walk\n"
        "print(repr(simulate_walk(7, 0.2, (0.9, 0.999))))\n"
    )
    printed = set()
    for threads in ("1", "4"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        monkeypatch.setenv("PYTHONHASHSEED", threads)
        ran = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        printed.add(ran.stdout)
    assert printed == {f"{simulate_walk(7, 0.2, BETAS)!r}\n"}
