"""The trainings that say how good an arm is once its settings are chosen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hpo_vs_adapt.metrics.basics.direction import metric_signs
from hpo_vs_adapt.metrics.basics.passes import STREAM, role_rows
from hpo_vs_adapt.metrics.basics.scores import normalised_scores

__all__ = ["METRICS", "RUN_COLUMNS", "arm_runs", "run_scores"]

METRICS = ("best_metric", "test_metric")
"""Of a run: its best validation metric, and the test metric at that evaluation."""

RUN_COLUMNS = ("workload", "arm", "runs_are", "stream", "seed", *METRICS)
"""Columns of `arm_runs`; -1 stands for a stream or a seed that means nothing."""

_ARM = ["workload", "arm"]


def arm_runs(
    records: pd.DataFrame, modes: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Return the trainings of each arm with the settings that it ends up with.

    - ``seeds``: the trials of an arm without `tune`.
    - ``retrains``: of tuned arms, the winners trained again with seeds that had no part
      in their choice: the same seeds for every stream. Streams that chose the same
      settings share these runs.
    - ``winners``: of tuned arms without retrains, the best trial of each stream, ties
      to the lower number. Its validation metric was chosen for being high: luck with
      the seed is in it.

    A failed run has the metrics that it had until then; one that has none, as it
    crashed before an evaluation, the worst of all arms' runs on its workload.

    Args:
        records: One row a trial of a stream, columns as in `Results.records`; only rows
            of the roles ``policy`` and ``retrain`` count.
        modes: Mode of each workload's metric, ``max`` where it is not named.

    Returns:
        Columns `RUN_COLUMNS`, one row a run, sorted by workload and arm; a metric is
        NaN where no run on the workload has one.

    Raises:
        ValueError: As in `arm_passes`.
    """
    modes = modes or {}
    policy, retrains = role_rows(records, "policy"), role_rows(records, "retrain")
    alone = policy["by"] == "single"
    again = pd.MultiIndex.from_frame(retrains[_ARM])
    searched = policy[~alone]
    searched = searched[~pd.MultiIndex.from_frame(searched[_ARM]).isin(again)]
    parts = {
        "seeds": policy[alone].assign(stream=-1),
        "retrains": retrains,
        "winners": _winners(searched, modes).assign(seed=-1),
    }
    some = [part.assign(runs_are=name) for name, part in parts.items() if len(part)]
    if not some:
        return pd.DataFrame(columns=list(RUN_COLUMNS))
    runs = pd.concat(some).astype(dict.fromkeys(METRICS, float))
    runs = runs.sort_values([*_ARM, "stream", "number", "seed"], kind="stable")
    sign = metric_signs(runs["workload"], modes)
    for name in METRICS:
        worst = (sign * runs[name]).groupby(runs["workload"]).transform("min")
        runs[name] = runs[name].fillna(sign * worst)
    return runs[list(RUN_COLUMNS)].reset_index(drop=True)


def run_scores(runs: pd.DataFrame, modes: Mapping[str, str]) -> pd.DataFrame:
    """Return runs with each metric as a score, see `normalised_scores`.

    Args:
        runs: As from `arm_runs`; a metric that is NaN stays so.
        modes: Mode of each workload's metric, ``max`` where it is not named.
    """
    scores = {
        name: normalised_scores(runs.assign(metric=runs[name]), modes).mask(
            runs[name].isna()
        )
        for name in METRICS
    }
    return runs.assign(**scores)


def _winners(searched: pd.DataFrame, modes: Mapping[str, str]) -> pd.DataFrame:
    """Return the trial of each stream that its tuner would choose."""
    # A failure is never chosen unless there is nothing else.
    sign = metric_signs(searched["workload"], modes)
    gains = (sign * searched["best_metric"]).fillna(-np.inf)
    ranked = searched.assign(gain=gains).sort_values(
        [*STREAM, "failed", "gain", "number"],
        ascending=[True, True, True, True, False, True],
        kind="stable",
    )
    return ranked.drop_duplicates(STREAM)
