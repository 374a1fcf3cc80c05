"""Which hyperparameters of a tuned arm mattered, by Optuna's two evaluators."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpo_vs_adapt.metrics.sensitivity.tunings import TREES, Tuning, tunings

if TYPE_CHECKING:
    import optuna

__all__ = ["IMPORTANCE_COLUMNS", "hyperparameter_importances"]

IMPORTANCE_COLUMNS = (
    *("workload", "arm", "hyperparameter", "trials", "fanova", "ped_anova"),
)
"""Columns of `hyperparameter_importances`."""

# fANOVA's time grows with the square of a tree's leaves: with 1000 trials it would take
# a minute. Six levels keep it at a quarter of a second, whatever their number.
_LEVELS = 6


def hyperparameter_importances(
    records: pd.DataFrame, modes: Mapping[str, str] | None = None, seed: int = 0
) -> pd.DataFrame:
    """Return how much of what an arm's tuner found depends on each hyperparameter.

    Two measures on the policy trials of tuned arms, by Optuna's evaluators, each
    normalised so that an arm's hyperparameters sum to 1:

    - ``fanova``: share of the variance over the searched box that a hyperparameter
      explains by itself, in a random forest of 16 trees of at most 6 levels.
    - ``ped_anova``: how far the best tenth of the trials is from all of them, along
      each hyperparameter alone.

    The box is that of the values tried. Positive numbers of which more than a quarter
    lie a decade or more below the highest are looked at as log10 (fANOVA would else see
    almost nothing but the highest decade); other numbers as they are; flags, words and
    everything else as categories. A trial that diverged counts with the worst metric of
    its arm's trials on the workload; one that crashed, or has no metric, is left out,
    as tuners do. A record that several streams share counts once.

    Args:
        records: One row a trial of a stream, columns as in `Results.records`; only rows
            of role ``policy`` of tuned arms (portfolios apart) count.
        modes: Mode of each workload's metric, ``max`` where it is not named.
        seed: Of the forest.

    Returns:
        Columns `IMPORTANCE_COLUMNS`, one row per workload, arm and hyperparameter that
        varies in some tuned workload of the arm, sorted; `trials` counts those that the
        measures rest on. NaN with fewer than 4 trials, if all have the same metric, and
        for a hyperparameter with a single value; `ped_anova` also if all trials tie
        with the best tenth.

    Raises:
        ValueError: As in `arm_passes`.

    fANOVA: Hutter, Hoos & Leyton-Brown, "An Efficient Approach for Assessing
    Hyperparameter Importance", ICML 2014. PED-ANOVA: Watanabe, Bansal & Hutter,
    "PED-ANOVA", IJCAI 2023 (arXiv 2304.10255).
    """
    rows = []
    for tuning in tunings(records, modes or {}):
        shares = _shares(tuning, seed)
        for name in tuning.names:
            found = shares.get(name, (math.nan, math.nan))
            rows.append((tuning.workload, tuning.arm, name, len(tuning.metric), *found))
    return pd.DataFrame(rows, columns=list(IMPORTANCE_COLUMNS))


def _shares(tuning: Tuning, seed: int) -> dict[str, tuple[float, float]]:
    """Return both importances of each hyperparameter of which something is known."""
    names = [axis.name for axis in tuning.axes]
    if len(names) < 2:
        return dict.fromkeys(names, (1.0, 1.0))
    from optuna import importance

    from hpo_vs_adapt.metrics.basics.quiet import quiet_optuna

    with quiet_optuna():
        study = _study(tuning)
        forest = importance.FanovaImportanceEvaluator(
            n_trees=TREES, max_depth=_LEVELS, seed=seed
        )
        fanova = importance.get_param_importances(study, evaluator=forest)
        parzen = dict.fromkeys(names, math.nan)
        if _has_a_best_tenth(tuning):
            evaluator = importance.PedAnovaImportanceEvaluator()
            parzen = importance.get_param_importances(study, evaluator=evaluator)
    return {name: (float(fanova[name]), float(parzen[name])) for name in names}


def _has_a_best_tenth(tuning: Tuning) -> bool:
    """Return whether the best tenth of the trials leaves some out, despite ties."""
    metric = np.sort(-tuning.direction.sign * tuning.metric)
    return bool(metric[math.ceil(0.1 * metric.size) - 1] < metric[-1])


def _study(tuning: Tuning) -> optuna.Study:
    import optuna
    from optuna.distributions import (
        BaseDistribution,
        CategoricalDistribution,
        FloatDistribution,
    )

    distributions: dict[str, BaseDistribution] = {
        axis.name: CategoricalDistribution(range(len(axis.categories)))
        if axis.categories
        else FloatDistribution(0, 1)
        for axis in tuning.axes
    }
    study = optuna.create_study(direction=tuning.direction.verb)
    params = {
        axis.name: axis.columns.argmax(axis=1)
        if axis.categories
        else axis.columns[:, 0]
        for axis in tuning.axes
    }
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={name: column[row].item() for name, column in params.items()},
                distributions=distributions,
                value=float(value),
            )
            for row, value in enumerate(tuning.metric)
        ]
    )
    return study
