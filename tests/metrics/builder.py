"""Tables of trials, made by hand."""

import math

import pandas as pd

from hpo_vs_adapt.results import TRIAL_COLUMNS

BUDGET = 1000.0


def trial(arm="sgd", number=0, at=None, **given):
    """A trial that meets the target at cost `at`, or never, in a budget of `BUDGET`."""
    by = given.get("by", "single")
    row = dict.fromkeys(TRIAL_COLUMNS)
    row |= {
        "workload": "digits",
        "arm": arm,
        "kind": "fixed" if by == "single" else "tuned",
        "by": by,
        "role": "policy",
        "stream": -1 if by == "single" else 0,
        "number": number,
        "settings": {"lr": 0.1},
        "batch_size": 64,
        "seed": number,
        "end": "budget",
        "failed": False,
        "hit": at is not None,
        "cost": BUDGET,
        "cost_to_target": math.inf if at is None else at,
        "lost": 0.0,
        "best_metric": 0.5 if at is None else 0.9,
    }
    row |= given
    labels = ("workload", "arm", "role", "stream", "number", "seed", "settings")
    row["key"] = given.get("key") or "/".join(str(row[name]) for name in labels)
    return row


def table(*trials):
    """A table of trials, or an empty one with the right columns."""
    return pd.DataFrame(list(trials), columns=list(TRIAL_COLUMNS))


def runs(arm, *crossings, **given):
    """Trials numbered from 0 that meet the target at `crossings` (None: never)."""
    return [trial(arm, number, at, **given) for number, at in enumerate(crossings)]


def shuffled(trials, seed=0):
    """The same rows in another order."""
    return trials.sample(frac=1, random_state=seed)


def study():
    """Three streams of every way to tune, and an arm that is not tuned."""
    crossings = {0: (None, 400, 300), 1: (None, None, 500), 2: (600, 200, None)}
    rows = []
    for by in ("grid", "random", "optuna"):
        for stream, at in crossings.items():
            rows += runs(by, *at, by=by, stream=stream)
            of_retrain = {"by": by, "stream": stream, "role": "retrain"}
            rows += [trial(by, 3, 250.0 + 10 * stream, **of_retrain)]
    return table(*rows, *runs("clara", 700, 800, None, kind="adaptive"))
