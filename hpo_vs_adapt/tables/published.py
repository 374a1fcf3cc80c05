"""What a study found, held against published values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hpo_vs_adapt.metrics.basics.direction import Direction
from hpo_vs_adapt.records.trials import EndReason
from hpo_vs_adapt.study.published import Published, PublishedRow
from hpo_vs_adapt.tables.rows import rows_of
from hpo_vs_adapt.tables.study_tables import StudyTables

__all__ = ["compare_published"]

_OURS = ("ours", "ours_sd", "difference", "chosen", "trials", "diverged")


@dataclass(frozen=True, slots=True)
class _Found:
    """The trials that stand for one published value, in the unit of the table.

    Args:
        mean: Of the trials that count; NaN without any.
        sd: Their sample standard deviation; NaN with fewer than two.
        chosen: Value of the setting that was selected, or None.
        trials: How many trials there are.
        diverged: How many of them have no value of their own.
    """

    mean: float = math.nan
    sd: float = math.nan
    chosen: Any = None
    trials: int = 0
    diverged: int = 0


def compare_published(given: StudyTables, published: Published) -> pd.DataFrame:
    """Return published values with those of the study beside them.

    A row stands for all trials, seeds and sweeps alike, of its workload and arm with
    its settings; retrained winners and crashed trials are left out. With `over` only
    those at the best value of that setting count: the one whose mean final metric, on
    `by`, is the best, the first of two equals; a trial that diverged is the worst.

    Returns:
        One row for each of the table: `workload`, `arm`, a column for each setting that
        is named anywhere, `statistic`, `published`, `published_sd`, `ours`, `ours_sd`
        (sample standard deviation over the trials), `difference` (ours - published),
        `chosen` (value of the selected setting), `trials`, `diverged`; with `beside`
        the same again for the other workload, as `beside_workload`, `beside`,
        `beside_sd`, ...; and `source`. NaN where there is no trial, or nothing that
        was published.
    """
    trials = _trials(given, published)
    names = list(dict.fromkeys(n for row in published.rows for n in row.settings))
    table = []
    for row in published.rows:
        found = _find(trials, row, row.workload, published, published.by)
        line: dict[str, Any] = {"workload": row.workload, "arm": row.arm}
        line |= {name: row.settings.get(name) for name in names}
        line["statistic"] = row.statistic or published.statistic
        line |= {"published": row.value, "published_sd": row.sd}
        line |= _columns(found, row.value, _OURS)
        if published.beside is not None:
            other = published.beside.get(row.workload)
            line["beside_workload"] = other
            found = _find(trials, row, other, published, published.beside_by)
            line |= _columns(found, row.value, _beside_names())
        line["source"] = row.source or published.source
        table.append(line)
    columns = ["workload", "arm", *names, "statistic", "published", "published_sd"]
    columns += _OURS
    if published.beside is not None:
        columns += ["beside_workload", *_beside_names()]
    return pd.DataFrame(table, columns=[*columns, "source"])


def _trials(given: StudyTables, published: Published) -> pd.DataFrame:
    """Return the trials that may count, with what is compared and what selects.

    There is a column for each statistic of the table, and `test` and `validation`, the
    higher the better.
    """
    records = given.records
    kept = records["role"].isin(["policy", "sweep"])
    kept &= records["end"] != EndReason.CRASHED
    # A sweep that comes by the arm's own settings has its trials a second time.
    trials = records[kept].drop_duplicates(["workload", "arm", "key"])
    modes = {entry.name: entry.metric.mode for entry in given.study.workloads}
    curves = dict(list(given.curves.groupby("key", sort=False)))
    rows = published.rows
    statistics = list(dict.fromkeys(r.statistic or published.statistic for r in rows))
    values = []
    for trial in rows_of(trials):
        curve, mode = curves[trial.key], modes[trial.workload]
        best_first = Direction(mode).sign
        values.append(
            (
                *(
                    _scaled(_statistic(curve, s, mode), s, published)
                    for s in statistics
                ),
                best_first * float(curve["test_metric"].iloc[-1]),
                best_first * float(curve["validation_metric"].iloc[-1]),
            )
        )
    columns = [*statistics, "test", "validation"]
    added = pd.DataFrame(values, columns=columns, index=trials.index, dtype=float)
    return trials.join(added)


def _scaled(value: float, statistic: str, published: Published) -> float:
    if not math.isfinite(value):
        return math.nan
    return 100 * value if published.percent and "metric" in statistic else value


def _statistic(curve: pd.DataFrame, name: str, mode: str) -> float:
    when, _, column = name.partition("_")
    if when == "final":
        return float(curve[column].iloc[-1])
    if name == "best_validation_loss":
        return float(curve["validation_loss"].min())
    best = Direction(mode).best_at(curve["validation_metric"])
    if best is None:
        return math.nan
    column = "test_metric" if name == "test_metric_at_best" else "validation_metric"
    return float(curve[column].iloc[best])


def _find(
    trials: pd.DataFrame,
    row: PublishedRow,
    workload: str | None,
    published: Published,
    by: str,
) -> _Found:
    there = (trials["workload"] == workload) & (trials["arm"] == row.arm)
    matching = trials[there]
    matching = matching[
        [
            all(_same(_setting(trial, n), value) for n, value in row.settings.items())
            for trial in rows_of(matching)
        ]
    ]
    if matching.empty:
        return _Found()
    chosen = None
    if published.over is not None:
        chosen, matching = _select(matching, published.over, by)
    values = matching[row.statistic or published.statistic]
    missing = int(values.isna().sum())
    if published.diverged is not None and row.statistic is None:
        values = values.fillna(published.diverged)
    return _Found(values.mean(), values.std(), chosen, len(matching), missing)


def _select(trials: pd.DataFrame, over: str, by: str) -> tuple[Any, pd.DataFrame]:
    """Return the best value of a setting, and its trials."""
    values = [_setting(trial, over) for trial in rows_of(trials)]
    candidates = list(dict.fromkeys(values))
    score = trials[by].fillna(-math.inf)
    means = [score[[v == one for v in values]].mean() for one in candidates]
    best = candidates[int(np.argmax(means))]
    return best, trials[[value == best for value in values]]


def _setting(trial: Any, name: str) -> Any:
    settings: Mapping[str, Any] = trial.settings
    return trial.batch_size if name == "batch_size" else settings.get(name)


def _same(one: Any, other: Any) -> bool:
    """Whether two values of a setting are the same; decades of a range are rounded."""
    numbers = all(
        isinstance(v, (int, float)) and not isinstance(v, bool) for v in (one, other)
    )
    if numbers:
        return math.isclose(one, other, rel_tol=1e-9)
    return bool(one == other and type(one) is type(other))


def _beside_names() -> Sequence[str]:
    return ["beside", *(f"beside_{name.removeprefix('ours_')}" for name in _OURS[1:])]


def _columns(
    found: _Found, value: float | None, names: Sequence[str]
) -> dict[str, Any]:
    difference = math.nan if value is None else found.mean - value
    cells = (found.mean, found.sd, difference, found.chosen, found.trials)
    return dict(zip(names, (*cells, found.diverged), strict=True))
