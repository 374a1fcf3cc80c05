import math

import numpy as np
import pytest

from hpo_vs_adapt.metrics.replay.curve_grid import CurveGrid
from hpo_vs_adapt.metrics.replay.halving import (
    brackets,
    halving_race,
    hyperband_race,
)
from tests.metrics.curves import curved, tables

BUDGET = 81.0


def random_grid(seed, size=12):
    """Configurations of 27 evaluations; some diverge, some are cheaper."""
    rng = np.random.default_rng(seed)
    trials = []
    for number in range(size):
        costs = np.arange(28) * (3.0 if number % 4 else 2.0)
        values = rng.random(28) * rng.random()
        given = {}
        if number % 5 == 3:
            stop = int(rng.integers(1, 27))
            costs, values = costs[:stop], values[:stop]
            given = {"failed": True, "end": "diverged"}
        setting = {"by": "grid", "seed": 0, "settings": {"lr": 10.0**-number}}
        trials.append(curved("g", number, values, costs, **setting, **given))
    return CurveGrid.from_records(*tables(*trials), "digits", "g", "max")


def by_hand(grid, order, target, eta, rungs):
    """Bill, hit and best of one bracket with one worker."""
    curves = [
        list(
            zip(
                grid.curves.cost[start:stop],
                grid.curves.best[start:stop],
                strict=True,
            )
        )
        for start, stop in zip(grid.curves.start, grid.curves.stop, strict=True)
    ]
    alive, size = list(order), len(order)
    spent = dict.fromkeys(range(size), 0.0)
    slots = dict(enumerate(order))
    alive = list(range(size))
    bill, best = 0.0, -math.inf
    for rung in range(rungs + 1):
        resource = BUDGET * eta ** (rung - rungs) + 1e-9
        scores = {}
        for slot in alive:
            record = slots[slot]
            limit = grid.curves.limit[record]
            reach = min(resource, limit)
            for cost, value in curves[record]:
                if spent[slot] <= cost <= reach:
                    best = max(best, value)
                    if value >= target:
                        return bill + cost - spent[slot], True, best
            bill += reach - spent[slot]
            spent[slot] = reach
            seen = [value for cost, value in curves[record] if cost <= reach]
            dead = grid.failed[record] and limit <= resource
            scores[slot] = -math.inf if dead or not seen else seen[-1]
        keep = max(1, int(size * eta ** -(rung + 1) + 1e-9))
        alive = sorted(alive, key=lambda slot: -scores[slot])[:keep]
    return bill, False, best


@pytest.mark.parametrize("target", [0.5, 0.8, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_halving_is_what_one_does_by_hand(seed, target):
    grid = random_grid(seed)
    crossing = grid.crossings(target)
    rng = np.random.default_rng(seed)
    orders = rng.integers(12, size=(20, 10))
    found = halving_race(grid, orders, crossing, 1, 3.0, 1 / 27)
    for place, order in enumerate(orders):
        bill, hit, best = by_hand(grid, order, target, 3, 2)
        assert found.bill[place] == pytest.approx(bill)
        assert found.latency[place] == found.bill[place]
        assert found.hit[place] == hit
        assert found.best[place] == best


def test_rungs_are_a_third_as_many_and_three_times_as_dear():
    trials = [
        curved(
            "g",
            n,
            [0.0, *[n / 100] * 27],
            np.arange(28) * 3.0,
            by="grid",
            seed=0,
            settings={"lr": n + 1.0},
        )
        for n in range(9)
    ]
    grid = CurveGrid.from_records(*tables(*trials), "digits", "g", "max")
    never = grid.crossings(1.0)
    order = np.arange(9)[None]
    found = halving_race(grid, order, never, 1, 3.0, 1 / 27)
    # 9 at 81/9, 3 from there to 81/3, 1 to 81.
    assert found.bill.tolist() == [9 * 9 + 3 * 18 + 54]
    assert found.best.tolist() == [0.08]
    # Rungs are synchronous: 3 rounds of 9, 1 of 18 and the last alone.
    parallel = halving_race(grid, order, never, 3, 3.0, 1 / 27)
    assert parallel.latency.tolist() == [3 * 9 + 18 + 54]
    assert parallel.bill.tolist() == found.bill.tolist()
    shallow = halving_race(grid, order, never, 1, 3.0, 1 / 3)
    assert shallow.bill.tolist() == [9 * 27 + 3 * 54]
    whole = halving_race(grid, order, never, 1, 3.0, 1.0)
    assert whole.bill.tolist() == [9 * 81]


def test_who_crosses_the_target_after_it_was_ended_never_does():
    slow = [0.0] * 10 + [0.9] * 18
    quick = [0.0] + [0.5] * 27
    trials = [
        curved(
            "g", n, values, np.arange(28) * 3.0, by="grid", seed=0, settings={"n": n}
        )
        for n, values in enumerate([slow, quick, quick])
    ]
    grid = CurveGrid.from_records(*tables(*trials), "digits", "g", "max")
    order = np.array([[0, 1, 2]])
    found = halving_race(grid, order, grid.crossings(0.9), 1, 3.0, 1 / 3)
    assert not found.hit[0]
    assert found.bill.tolist() == [3 * 27 + 54]
    whole = halving_race(grid, order, grid.crossings(0.9), 1, 3.0, 1.0)
    assert whole.hit[0]
    assert whole.bill.tolist() == [30]


def test_what_has_diverged_is_never_continued():
    dead = curved(
        "g",
        0,
        [0.0, 0.8, math.nan],
        [0, 3, 6],
        by="grid",
        seed=0,
        settings={"n": 0},
        failed=True,
    )
    rest = [
        curved(
            "g",
            n,
            [0.0] + [0.1 * n] * 27,
            np.arange(28) * 3.0,
            by="grid",
            seed=0,
            settings={"n": n},
        )
        for n in (1, 2)
    ]
    grid = CurveGrid.from_records(*tables(dead, *rest), "digits", "g", "max")
    order = np.array([[0, 1, 2]])
    found = halving_race(grid, order, grid.crossings(1.0), 1, 3.0, 1 / 3)
    assert found.bill.tolist() == [6 + 27 + 27 + 54]
    assert found.best.tolist() == [0.8]


def test_brackets_have_the_sizes_of_the_paper():
    sizes = list(brackets(143, 3.0, 4))
    assert sizes == [(81, 4), (34, 3), (15, 2), (8, 1), (5, 0)]
    assert list(brackets(150, 3.0, 4))[-1] == (7, 4)
    assert list(brackets(5, 3.0, 0)) == [(1, 0)] * 5


def test_hyperband_is_its_brackets_one_after_the_other():
    grid = random_grid(5)
    target = 0.9
    orders = np.random.default_rng(5).integers(12, size=(30, 20))
    found = hyperband_race(grid, orders, grid.crossings(target), 1, 3.0, 1 / 9)
    for place, order in enumerate(orders):
        bill, best, hit = 0.0, -math.inf, False
        for begin, end, rungs in ((0, 9, 2), (9, 14, 1), (14, 17, 0), (17, 20, 2)):
            if not hit:
                part = by_hand(grid, order[begin:end], target, 3, rungs)
                bill, hit, best = bill + part[0], part[1], max(best, part[2])
        assert found.bill[place] == pytest.approx(bill)
        assert found.hit[place] == hit
        assert found.best[place] == best
    assert 0 < found.hit.mean() < 1
