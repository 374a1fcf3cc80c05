"""What policies cost when several workers share them: bills and latencies."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpo_vs_adapt.metrics.basics.cost import expected_running_time
from hpo_vs_adapt.metrics.basics.passes import pass_parts, priced, role_rows
from hpo_vs_adapt.metrics.costs.parallel import race_workers

__all__ = ["WORKERS", "bills_by_workers"]

WORKERS = (1, 2, 4, 8, 16, 32)
"""Numbers of workers that are looked at."""

_ORDERS = 1000  # random orders of a grid too long to go through all of them
_CHAINS = 10_000  # sequences of misses up to a hit, fewer where hits are rare
_MISSES = 2_000_000  # about as many misses are drawn for them

_ARM = ["workload", "arm"]


def bills_by_workers(
    trials: pd.DataFrame,
    workers: Iterable[int] = WORKERS,
    failure_price: float = 1.0,
    seed: int = 0,
) -> pd.DataFrame:
    """Return what each arm's policy costs, and how long it takes, with W workers.

    A worker that is free takes the next trial; all stop at the first hit, and trials
    that are then running are charged what they have burned. Which trial is next:

    - Arms without `tune` and random search: any trial of the arm, drawn with
      replacement. Workers then repeat trials until a hit independently of each other
      and none is ever idle, so ``latency = E[min of W independent T]`` with T what one
      worker spends up to its hit, and ``bill = W * latency``. Exact if every trial
      hits, else from up to 10 000 seeded draws of T, their number of misses stratified.
    - Grid: the stream's list in random order without replacement (`race_workers`), the
      mean over all orders of up to 6 trials, else over 1000 seeded ones, half of them
      the others reversed: measured on lists of 12 and 30 trials, that left a relative
      standard error of the latency below 2 %.
    - Optuna and portfolios: the stream's recorded order, W trials at once. This is kind
      to Optuna: a sampler that has W trials running would have known W - 1 results less
      when it chose, so its later trials would have been worse informed.

    Streams are combined as passes are: ``latency`` and ``bill`` are totals over streams
    divided by the streams that hit. A stream without a hit runs to the end of its list
    and another pass follows it. With one worker both are the `bill` of `arm_bills`,
    exactly.

    Args:
        trials: One row a trial of a stream, columns as in `Results.records`; only rows
            of role ``policy`` count.
        workers: Numbers of workers W.
        failure_price: Share of its spending after which a trial that misses is ended,
            from 0 to 1 (`arm_passes`).
        seed: Of the drawn orders; every workload, arm and stream derives its own, which
            are the same at every number of workers.

    Returns:
        Columns `workload, arm, workers, latency, bill`, sorted; both in the unit of the
        trials. `latency` is what the longest-running worker has spent at the first hit,
        `bill` what all have. NaN where the target was never met.

    Raises:
        ValueError: As in `arm_passes`, or if a number of workers is not whole and at
            least 1.

    List scheduling: Graham, "Bounds on Multiprocessing Timing Anomalies", SIAM Journal
    on Applied Mathematics, 1969.
    """
    numbers = _checked_workers(workers)
    policy = role_rows(trials, "policy")
    passes = priced(pass_parts(policy), failure_price)
    spent = policy["contribution"]
    policy = policy.assign(cost=spent.where(policy["hit"], failure_price * spent))
    alone = dict(iter(passes.groupby(_ARM, sort=True)))
    several = [number for number in numbers if number > 1]
    rows: list[tuple[str, str, int, float, float]] = []
    for (workload, arm), group in policy.groupby(_ARM, sort=True):
        place = (str(workload), str(arm))
        name = "\x1f".join(place)
        own = alone[place]
        bill = expected_running_time(own["cost"], own["hit"])
        found = {1: (bill, bill)}
        if math.isinf(bill):
            found |= dict.fromkeys(several, (bill, bill))
        elif group["by"].iloc[0] in ("single", "random"):
            found |= _repeated(group, several, _generator(seed, name))
        else:
            found |= _listed(group, several, name, seed)
        rows += [(*place, number, *found[number]) for number in numbers]
    table = pd.DataFrame(rows, columns=[*_ARM, "workers", "latency", "bill"])
    table = table.astype({"workers": int, "latency": float, "bill": float})
    return table.replace({"latency": math.inf, "bill": math.inf}, math.nan)


def _checked_workers(workers: Iterable[int]) -> list[int]:
    numbers = list(workers)
    for number in numbers:
        if not 1 <= number < math.inf or number != int(number):
            raise ValueError(
                f"`workers` must be whole numbers of at least 1; got {number!r}."
            )
    return sorted({int(number) for number in numbers})


def _generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, *name.encode()])


def _repeated(
    group: pd.DataFrame, workers: list[int], rng: np.random.Generator
) -> dict[int, tuple[float, float]]:
    """Return latency and bill where trials are drawn with replacement."""
    chains = _chains(group["cost"].to_numpy(), group["hit"].to_numpy(), rng)
    found = {}
    for number in workers:
        # P(min of W >= i-th least) = ((N - i + 1) / N)^W, i from 1.
        above = (np.arange(chains.size, -1, -1) / chains.size) ** number
        latency = float(-np.diff(above) @ chains)
        found[number] = (latency, number * latency)
    return found


def _chains(
    costs: NDArray[np.float64], hits: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return what one worker spends up to its hit, sorted: all cases, or draws."""
    met, missed = np.sort(costs[hits]), np.sort(costs[~hits])
    if not missed.size:
        return met
    chance = met.size / costs.size
    size = int(np.clip(_MISSES * chance, _CHAINS / 10, _CHAINS))
    # Numbers of misses are geometric; one from each of `size` equally likely strata.
    level = (np.arange(size) + rng.random(size)) / size
    level = np.minimum(level, np.nextafter(1.0, 0.0))
    number = np.floor(np.log1p(-level) / math.log1p(-chance)).astype(np.int64)
    burned = rng.choice(missed, number.sum())
    chain = np.repeat(np.arange(size), number)
    total = np.bincount(chain, weights=burned, minlength=size)
    return np.sort(total + rng.choice(met, size))


def _listed(
    group: pd.DataFrame, workers: list[int], name: str, seed: int
) -> dict[int, tuple[float, float]]:
    """Return latency and bill of streams that are lists, in a random or given order."""
    grid = group["by"].iloc[0] == "grid"
    races: dict[int, list[tuple[float, float]]] = {number: [] for number in workers}
    hits = 0
    for stream, trials in group.groupby("stream", sort=True):
        cost, hit = trials["cost"].to_numpy(), trials["hit"].to_numpy()
        hits += int(hit.any())
        given = np.arange(cost.size)[None]
        rng = _generator(seed, f"{name}\x1f{stream}")
        mixed = _orders(cost.size, rng) if grid else given
        for number in workers:
            # All start at once: the order does not matter.
            orders = given if number >= cost.size else mixed
            races[number].append(_race(cost[orders], hit[orders], number))
    found = {}
    for number, one in races.items():
        latencies, bills = zip(*one, strict=True)
        found[number] = (math.fsum(latencies) / hits, math.fsum(bills) / hits)
    return found


def _orders(length: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return all orders of a list, or `_ORDERS` of them, shape `(m, length)`."""
    if math.factorial(length) <= _ORDERS:
        return np.array(list(itertools.permutations(range(length))))
    half = rng.permuted(np.tile(np.arange(length), (_ORDERS // 2, 1)), axis=1)
    # Where hits come late in one order they come early in its reverse.
    return np.concatenate([half, half[:, ::-1]])


def _race(
    costs: NDArray[np.float64], hits: NDArray[np.bool_], workers: int
) -> tuple[float, float]:
    """Return mean latency and bill of lists, run to their ends if nothing hits."""
    if hits.any():
        latency, bill = race_workers(costs, hits, workers)
        return float(latency.mean()), float(bill.mean())
    free = np.zeros((len(costs), min(workers, costs.shape[1])))
    rows = np.arange(len(costs))
    for cost in costs.T:
        free[rows, free.argmin(axis=1)] += cost
    return float(free.max(axis=1).mean()), math.fsum(costs[0])
