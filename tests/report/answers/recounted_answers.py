"""What an answer is made of beside the bills, from a study's numbers counted again."""

from __future__ import annotations

import math
from statistics import fmean

from hpo_vs_adapt import metrics
from tests.report.answers.recounted import Recount, Row

_NOBODY: Row = {"arm": ""}


def headline(count: Recount, workload: str) -> Row:
    """Return who leads a workload, by how much, and what is missing."""
    arms = [arm for (name, _), arm in count.arms.items() if name == workload]
    met = count.of(workload)
    row = {
        "arms": len(arms),
        "met": len(met),
        "missed": sum(arm["trials"] > 0 and math.isnan(arm["bill"]) for arm in arms),
        "trials": sum(arm["trials"] for arm in arms),
        "planned": sum(arm["planned"] for arm in arms),
        "unfinished": sum(arm["trials"] < arm["planned"] for arm in arms),
        "failures": sum(arm["failures"] for arm in arms),
        "failing": sum(arm["failures"] > 0 for arm in arms),
    }
    if not met:
        return {**row, "leader": "", "tuned": "", "untuned": ""}
    leader = met[0]["arm"]
    rivals = {
        "next": met[1:],
        "challenger": _others(met),
        "tuned": [arm for arm in met if arm["by"] in ("grid", "random", "optuna")],
        "untuned": [arm for arm in met if arm["by"] == "single"],
        "reference": [arm for arm in met if arm["arm"] == count.study.reference],
    }
    for rival, group in rivals.items():
        row[rival] = [*group, _NOBODY][0]["arm"]
        if group:
            ratio, low, high = count.ratio(workload, row[rival], leader)
            row |= {f"{rival}_ratio": ratio, f"{rival}_low": low, f"{rival}_high": high}
    if row["challenger"]:
        own = count.table[count.table["workload"] == workload]
        two = own[own["arm"].isin([leader, row["challenger"]])]
        needed = metrics.seeds_needed(two, row["challenger_ratio"], reference=leader)
        row["challenger_seeds"] = needed.set_index("arm")["seeds"][row["challenger"]]
    least = met[0]["bill"]
    row["tied"] = sum(math.isclose(arm["bill"], least) for arm in met)
    chosen = {leader, *(arm["arm"] for arm in _probable(met))}
    return {**row, "leader": leader, "candidates": len(chosen)}


def _probable(met: list[Row]) -> list[Row]:
    """Return the most probable winners, as many as it takes for 0.95."""
    chosen, sure = [], 0.0
    for arm in sorted(met, key=lambda arm: -arm["first_probability"]):
        if sure >= 0.95:
            break
        chosen.append(arm)
        sure += arm["first_probability"]
    return chosen


def _others(met: list[Row]) -> list[Row]:
    least = met[0]["bill"]
    return [arm for arm in _probable(met) if not math.isclose(arm["bill"], least)]


def pair(count: Recount, workload: str, row: Row) -> Row:
    """Return when the cheapest tuned arm has paid against the cheapest other.

    Args:
        count: Of the study.
        workload: Label in the study.
        row: Its `headline`.
    """
    tuned, other = (
        count.arms[workload, row["tuned"]],
        count.arms[workload, row["untuned"]],
    )
    own = count.table[count.table["workload"] == workload]
    quick = metrics.bills_by_workers(own).pivot(
        index="workers", columns="arm", values="latency"
    )
    sooner = quick.index[quick[tuned["arm"]] < quick[other["arm"]]]
    on_hits, on_misses = (math.fsum(part) for part in zip(*tuned["parts"], strict=True))
    room = tuned["pass_hits"] * other["bill"] - on_hits
    return {
        "runs": _runs(tuned, other, "bill"),
        "runs_full_plan": _runs(tuned, other, "full_plan"),
        "fraction": min(max(room / on_misses, 0), 1) if on_misses else 1.0,
        "workers": min(sooner, default=math.nan),
    }


def _runs(tuned: Row, other: Row, start: str) -> float:
    saved = other["cost_per_run"] - tuned["cost_per_run"]
    if tuned[start] <= other["bill"]:
        return 0.0
    return (tuned[start] - other["bill"]) / saved if saved > 0 else math.inf


def across(count: Recount, arm: str) -> Row:
    """Return how an arm does over all workloads that have trials."""
    begun = {trial["workload"] for trial in count.trials}
    scores, ratios, solved = [], [], 0
    for workload in begun:
        bill = count.arms[workload, arm]["bill"]
        base = count.arms[workload, str(count.study.reference)]["bill"]
        least = min((one["bill"] for one in count.of(workload)), default=math.nan)
        solved += not math.isnan(bill)
        scores.append(0.0 if math.isnan(bill) else max(0.0, (4 - bill / least) / 3))
        if not math.isnan(bill / base):
            ratios.append(math.log(bill / base))
    return {
        "workloads": len(begun),
        "solved": solved,
        "score": fmean(scores),
        "mean_ratio": math.exp(fmean(ratios)) if ratios else math.nan,
        "in_how_many": len(ratios),
    }


def stretch(rates: dict[float, list[bool]]) -> Row:
    """Return the widest stretch of rates at which half of the seeds hit, in decades.

    Between two rates the share of seeds lies on a line over the rate's logarithm.
    """
    points = [(math.log10(rate), fmean(hits)) for rate, hits in rates.items()]
    widest, start = 0.0, None
    for place, (at, share) in enumerate(points):
        if share < 0.5:
            start = None
            continue
        if start is None:
            start = at if not place else _crossing(points[place - 1], points[place])
        ends = place + 1 == len(points) or points[place + 1][1] < 0.5
        if ends:
            last = place + 1 == len(points)
            end = at if last else _crossing(points[place + 1], points[place])
            widest = max(widest, end - start)
    return {
        "hit_decades": widest,
        "tested_low": min(rates, default=math.nan),
        "tested_high": max(rates, default=math.nan),
    }


def _crossing(below: tuple[float, float], above: tuple[float, float]) -> float:
    share = (0.5 - below[1]) / (above[1] - below[1])
    return below[0] + share * (above[0] - below[0])
