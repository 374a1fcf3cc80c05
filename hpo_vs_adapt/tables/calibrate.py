"""Choose settings once across workloads, from a study of tuned arms.

Every tuned arm of the study is one rule to calibrate. Its tuner must ask for the same
points on every workload, as grids, random search and quasi-random samplers do. The
point with the least mean of `log(cost to the target / budget)` over workloads and seeds
wins, a miss counted as four budgets (AlgoPerf scores more than four times the fastest
as a miss; Dahl et al., 2023, arXiv 2306.07179); ties go to the better mean rank of the
best metric, then to the point tried first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hpo_vs_adapt.metrics.basics.direction import metric_signs
from hpo_vs_adapt.records.files import write_whole
from hpo_vs_adapt.study import Arm
from hpo_vs_adapt.study.calibrations import Calibration
from hpo_vs_adapt.tables.study_tables import StudyTables
from hpo_vs_adapt.wording import Problem

__all__ = ["MISS", "CalibrationProblem", "choose", "write_calibrations"]

MISS = 4.0
"""What a trial that misses the target counts as, in budgets."""


class CalibrationProblem(Problem):
    """Settings cannot be chosen, or not be added to a file."""


def choose(given: StudyTables) -> dict[str, Calibration]:
    """Return the settings that did best over the workloads, by rule.

    Args:
        given: Of a study whose tuned arms are the rules to calibrate.

    Raises:
        CalibrationProblem: If trials are missing, a rule has two arms, or a tuner asked
            for other points on one workload than on another.
    """
    chosen: dict[str, Calibration] = {}
    for arm in given.study.arms:
        if arm.tune is None:
            continue
        if arm.rule in chosen:
            raise CalibrationProblem(
                f"`arms` must have one arm a rule; got two for {arm.rule!r}."
            )
        chosen[arm.rule] = _choose(arm, given)
    return chosen


def _choose(arm: Arm, given: StudyTables) -> Calibration:
    rows = given.records
    rows = rows[(rows["arm"] == arm.name) & (rows["role"] == "policy")]
    rows = rows.assign(point=[_point(settings) for settings in rows["settings"]])
    workloads = [entry.name for entry in given.study.workloads]
    _check(arm, rows, given)
    scored = rows.assign(
        score=_scores(rows),
        rank=_ranks(rows, {e.name: e.metric.mode for e in given.study.workloads}),
    )
    table = scored.groupby("point", sort=False).agg(
        score=("score", "mean"), rank=("rank", "mean"), first=("number", "min")
    )
    # Sums of logarithms in another order differ in their last digits.
    table["score"] = table["score"].round(9)
    best = table.sort_values(["score", "rank", "first"]).index[0]
    return Calibration(
        arm.rule,
        {**arm.settings, **json.loads(best)},
        tuple(workloads),
        len(rows),
        float(rows["cost"].sum()),
    )


def _check(arm: Arm, rows: pd.DataFrame, given: StudyTables) -> None:
    progress = given.progress
    mine = progress[(progress["arm"] == arm.name) & (progress["role"] == "policy")]
    if (mine["done"] < mine["planned"]).any():
        raise CalibrationProblem(
            f"every trial of {arm.name!r} must be done; run the study."
        )
    points = {frozenset(group["point"]) for _, group in rows.groupby("workload")}
    if len(points) > 1:
        raise CalibrationProblem(
            f"the tuner of {arm.name!r} must try the same points on every workload; "
            "use a grid, random search or a quasi-random sampler."
        )


def _scores(rows: pd.DataFrame) -> pd.Series[float]:
    """Return `log(cost to the target / budget)`, misses as `MISS` budgets.

    The budget is what the trial's own training takes, without extra gradients.
    """
    budget = rows.groupby("workload")["steps"].transform("max") * rows["batch_size"]
    cost = rows["cost_to_target"].where(rows["hit"], np.inf) / budget
    return np.log(cost.clip(upper=MISS))


def _ranks(rows: pd.DataFrame, modes: Mapping[str, str]) -> pd.Series[float]:
    """Return the rank of the best metric among the trials of a workload and seed."""
    sign = metric_signs(rows["workload"], modes)
    worth = (-sign * rows["best_metric"].astype(float)).where(~rows["failed"], np.inf)
    return worth.fillna(np.inf).groupby([rows["workload"], rows["seed"]]).rank()


def _point(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)


def write_calibrations(chosen: Mapping[str, Calibration], file: Path) -> None:
    """Write settings to a file of `calibrations`, over those of the same rules.

    Raises:
        CalibrationProblem: If the file holds something else.
        FileProblem: If it cannot be written.
    """
    known = _read(file) if file.exists() else {}
    parts = {
        rule: {
            "settings": dict(sorted(one.settings.items())),
            "workloads": list(one.workloads),
            "trials": one.trials,
            "cost": one.cost,
        }
        for rule, one in chosen.items()
    }
    text = json.dumps(dict(sorted({**known, **parts}.items())), indent=2)
    write_whole(file, text + "\n")


def _read(file: Path) -> dict[str, Any]:
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CalibrationProblem(f"{file} must be JSON; {error}.") from error
    if not isinstance(known, dict):
        raise CalibrationProblem(f"{file} must hold settings by rule; got {known!r}.")
    return known
