"""Where the settings of a study's arms come from: the tuning that no bill can count."""

from __future__ import annotations

import math

import pandas as pd

from hpo_vs_adapt.plugins.references import find_rule
from hpo_vs_adapt.study import Arm, Study

__all__ = ["ORIGIN_COLUMNS", "find_origins"]

ORIGIN_COLUMNS = (
    "arm",
    "defaults_from",  # in words; "unknown" if nobody says
    "defaults_trials",  # trained to find them; NaN: unknown
    "space_from",  # of tuned arms, as the rule or the study says; empty for others
    "space_trials",  # trained to choose it; NaN: unknown
)
"""Columns of `find_origins`."""


def find_origins(study: Study) -> pd.DataFrame:
    """Return where defaults and spaces come from and how many trials they took.

    A rule declares it of its defaults (`Rule.defaults`, `Rule.defaults_trials`) and of
    its space (`Rule.space_from`, `Rule.space_trials`), a calibration of what it chose,
    and a study of its own spaces (`tune.space_from`, `tune.space_trials`). Published
    work rarely says: NaN then, which is not 0. A portfolio has the origins of its
    members, and is known only if all of them are.

    Returns:
        Columns `ORIGIN_COLUMNS`, one row an arm, in the order of the study.
    """
    rows = [(arm.name, *_defaults(arm, study), *_space(arm)) for arm in study.arms]
    return pd.DataFrame(rows, columns=list(ORIGIN_COLUMNS))


def _defaults(arm: Arm, study: Study) -> tuple[str, float]:
    if arm.members:
        found = [_defaults(member, study) for member in arm.members]
        sources = "; ".join(dict.fromkeys(source for source, _ in found))
        return sources, sum(trials for _, trials in found)
    chosen = arm.calibration
    if chosen is not None:
        return f"calibrated once on {', '.join(chosen.workloads)}", float(chosen.trials)
    rule = find_rule(arm.rule, study.base)
    trials = rule.defaults_trials
    return rule.defaults, math.nan if trials is None else float(trials)


def _space(arm: Arm) -> tuple[str, float]:
    if arm.tune is None or arm.members:
        return "", 0.0
    trials = arm.tune.space_trials
    return arm.tune.space_from, math.nan if trials is None else float(trials)
