"""The numbers of a study counted again from its records' files, in plain Python.

Which trial belongs to which arm and stream, and with what settings, is taken from the
results; everything else from the records: curves and ledgers. Of the package only what
draws random numbers is called, and public intervals, on the numbers counted here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import groupby
from statistics import fmean
from typing import Any

import pandas as pd

from hpo_vs_adapt import metrics
from hpo_vs_adapt.records.store import RecordStore
from hpo_vs_adapt.results import Results

Row = dict[str, Any]


class Recount:
    """What a study's records say of its arms.

    Args:
        results: Of the study; its records are where its storage says.
    """

    def __init__(self, results: Results) -> None:
        self.study = results.study
        self.trials = list(_trials(results))
        self.table = pd.DataFrame(self.trials)
        progress = results.progress[results.progress["role"] == "policy"]
        places = zip(progress["workload"], progress["arm"], strict=True)
        self.planned = dict(zip(places, progress["planned"], strict=True))
        self.passes = pd.DataFrame(
            [
                {"workload": workload, "arm": arm, "cost": cost, "hit": hit}
                for (workload, arm), own in self._by_arm("policy").items()
                for cost, hit in passes(own)
            ]
        )
        chances = metrics.first_probability(self.passes)
        self.chances = chances.set_index(["workload", "arm"])["first_probability"]
        self.arms = {
            (entry.name, arm.name): self._arm(entry.name, arm)
            for entry in self.study.workloads
            for arm in self.study.arms
        }

    def _by_arm(self, role: str) -> dict[tuple[str, str], list[Row]]:
        own = [trial for trial in self.trials if trial["role"] == role]
        return {place: list(part) for place, part in groupby(own, _place)}

    def _arm(self, workload: str, arm: Any) -> Row:
        own = self._by_arm("policy").get((workload, arm.name), [])
        spent = passes(own)
        hits = sum(hit for _, hit in spent)
        seeds = groupby(own, lambda t: t["seed" if t["by"] == "single" else "stream"])
        best = [max(trial["best_metric"] for trial in group) for _, group in seeds]
        retrains = self._by_arm("retrain").get((workload, arm.name), [])
        low, high = metrics.ert_interval(*zip(*spent, strict=True)) if own else (0, 0)
        return {
            "arm": arm.name,
            "kind": arm.kind,
            "by": arm.by,
            "trials": len(own),
            "planned": self.planned[workload, arm.name],
            "failures": sum(trial["failed"] for trial in own),
            "passes": len(spent),
            "pass_hits": hits,
            "bill": ert(spent),
            "bill_low": low,
            "bill_high": high,
            "first_probability": self.chances.get((workload, arm.name), math.nan),
            "best_metric": fmean(best) if best else math.nan,
            "interval_note": metrics.interval_note(len(spent), hits) if own else "",
            "calibration": arm.calibration.cost if arm.calibration else math.nan,
            "parts": pass_parts(own),
            "full_plan": ert(_plans(own, retrains)),
            "cost_per_run": ert(_runs(retrains if arm.tune else own)),
            **_origins(arm),
        }

    def of(self, workload: str) -> list[Row]:
        """Return a workload's arms that met the target, the least bill first."""
        own = [arm for (name, _), arm in self.arms.items() if name == workload]
        return sorted(
            (arm for arm in own if not math.isnan(arm["bill"])),
            key=lambda arm: arm["bill"],
        )

    def swept(self, workload: str, arm: str) -> dict[float, list[bool]]:
        """Return for each learning rate that was swept who of its seeds hit."""
        rates: dict[float, list[bool]] = {}
        for trial in self._by_arm("sweep").get((workload, arm), []):
            rates.setdefault(trial["settings"]["lr"], []).append(trial["hit"])
        return dict(sorted(rates.items()))

    def ratio(self, workload: str, arm: str, leader: str) -> tuple[float, ...]:
        """Return how many times the leader's bill an arm costs, and the bounds."""
        own = self.table[self.table["workload"] == workload]
        ratios = metrics.reference_ratios(own, leader).set_index("arm")
        bill, least = (self.arms[workload, name]["bill"] for name in (arm, leader))
        return bill / least, ratios["low"][arm], ratios["high"][arm]


def passes(trials: list[Row]) -> list[tuple[float, bool]]:
    """Return cost and hit of each pass of an arm's policy on a workload."""
    return [(hit + miss, hit > 0) for hit, miss in pass_parts(trials)]


def pass_parts(trials: list[Row]) -> list[tuple[float, float]]:
    """Return what each pass of an arm spends on its hit, 0 without one, and misses."""
    alone = bool(trials) and trials[0]["by"] in ("single", "random")
    unit = "number" if alone else "stream"
    found = []
    for _, group in groupby(trials, lambda trial: (trial["stream"], trial[unit])):
        stream = list(group)
        hits = [trial["cost_to_target"] for trial in stream if trial["hit"]]
        misses = [trial["cost"] for trial in stream if not trial["hit"]]
        if stream[0]["by"] == "grid" and hits:
            found.append((fmean(hits), sum(misses) / (len(hits) + 1)))
            continue
        until = next((n for n, t in enumerate(stream) if t["hit"]), len(stream))
        burned = math.fsum(trial["cost"] for trial in stream[:until])
        found.append((hits[0] if hits else 0.0, burned))
    return found


def ert(spent: list[tuple[float, bool]]) -> float:
    """Return all that was spent over the number of hits; NaN without one."""
    hits = sum(hit for _, hit in spent)
    return math.fsum(cost for cost, _ in spent) / hits if hits else math.nan


def _runs(trials: list[Row]) -> list[tuple[float, bool]]:
    """Return trials as passes of their own, each record once."""
    apart = {(trial["key"], trial["number"]): trial for trial in trials}
    if trials and trials[0]["role"] == "retrain":
        apart = {(trial["key"], 0): trial for trial in trials}
    return [
        (trial["cost_to_target"] if trial["hit"] else trial["cost"], trial["hit"])
        for trial in apart.values()
    ]


def _plans(trials: list[Row], retrains: list[Row]) -> list[tuple[float, bool]]:
    """Return what whole plans spend, the first retrain of the winner included."""
    plans = []
    for stream, group in groupby(trials, lambda trial: trial["stream"]):
        again = [trial for trial in retrains if trial["stream"] == stream]
        if again:
            ((cost, hit),) = _runs(again[:1])
            plans.append((math.fsum(t["cost"] for t in group) + cost, hit))
    return plans


def _origins(arm: Any) -> Row:
    """Return the trials before the study, as far as the study itself names them."""
    before = math.nan if arm.tune is None else arm.tune.space_trials
    chosen = arm.calibration
    return {
        "defaults_trials": chosen.trials if chosen else math.nan,
        "space_trials": before,
    }


def _place(trial: Row) -> tuple[str, str]:
    return trial["workload"], trial["arm"]


def _trials(results: Results) -> Iterable[Row]:
    """Yield the trials by workload, arm, role, stream and number."""
    store = RecordStore(results.study.storage.records, writable=False)
    kept = ["workload", "arm", "kind", "by", "role", "stream", "number", "key"]
    kept.append("settings")  # that a trial was given; a record leaves out defaults
    entries = {entry.name: entry for entry in results.study.workloads}
    for row in results.records[kept].to_dict("records"):
        record = store.get(row["key"])
        assert record is not None
        assert "lost" not in record.ledger.spent  # else crossings would come later
        values = record.curve["validation_metric"].tolist()
        met = [
            cost
            for cost, value in zip(record.curve["cost"], values, strict=True)
            if value >= entries[row["workload"]].target
        ]
        spent = [
            amount.sample_gradients
            + record.ledger.forward_share * amount.forward_samples
            for purpose, amount in record.ledger.spent.items()
            if purpose != "evaluation"
        ]
        yield {
            **row,
            "batch_size": record.spec.batch_size,
            "seed": record.spec.seed,
            "end": str(record.end),
            "failed": record.end in ("diverged", "crashed"),
            "hit": bool(met),
            "cost": math.fsum(spent),
            "cost_to_target": min(met, default=math.inf),
            "best_metric": max(value for value in values if math.isfinite(value)),
        }
