"""The section of the page that holds a study against published values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hpo_vs_adapt import wording
from hpo_vs_adapt.study.published import Published

__all__ = ["Comparison", "make_comparison"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison as the page shows it.

    Args:
        source: Where the values were published.
        about: What is compared, in one sentence or two.
        rows: Cells as they are shown.
        beside: Whether there is a second column.
        selected: Name of the setting that was chosen, or None.
    """

    source: str
    about: str
    rows: list[dict[str, str]]
    beside: bool
    selected: str | None


def make_comparison(published: Published, table: pd.DataFrame) -> Comparison:
    """Return what the page shows of a table from `compare_published`."""
    return Comparison(
        source=published.source,
        about=_about(published),
        rows=[_cells(row, published) for row in table.to_dict("records")],
        beside=published.beside is not None,
        selected=published.over,
    )


def _about(published: Published) -> str:
    what = published.statistic.replace("_", " ")
    unit = " in %" if published.percent else ""
    sentences = [f"Compared is the {what}{unit}, mean and standard deviation."]
    if published.over is not None:
        sentences.append(
            f"Of {published.over}, each row has the value with the best mean final "
            f"{published.by} metric."
        )
    if published.beside is not None:
        sentences.append(
            "Beside: the same on the workload named there"
            + (
                f", chosen by the {published.beside_by} metric."
                if published.over is not None
                else "."
            )
        )
    if published.diverged is not None:
        sentences.append(f"A trial that diverged counts {published.diverged:g}.")
    return " ".join(sentences)


def _cells(row: Mapping[Any, Any], published: Published) -> dict[str, str]:
    settings = {
        name: row[name]
        for one in published.rows
        for name in one.settings
        if not _unknown(row[name])
    }
    other = row["statistic"] != published.statistic
    percent = published.percent and "metric" in row["statistic"]
    cells = {
        "workload": row["workload"],
        "arm": row["arm"],
        "settings": ", ".join(f"{n} {_spell(v)}" for n, v in settings.items()),
        "published": _with_sd(row["published"], row["published_sd"], percent),
        "statistic": row["statistic"].replace("_", " ") if other else "",
        "source": "" if row["source"] == published.source else row["source"],
    }
    for prefix, mean in (("", "ours"), ("beside_", "beside")):
        if mean not in row:
            continue
        sd = row["ours_sd"] if mean == "ours" else row["beside_sd"]
        trials, gone = row[f"{prefix}trials"], row[f"{prefix}diverged"]
        difference = row[f"{prefix}difference"]
        cells |= {
            mean: _with_sd(row[mean], sd, percent),
            f"{prefix}difference": _number(difference, percent, sign="+"),
            f"{prefix}chosen": _spell(row[f"{prefix}chosen"]),
            f"{prefix}trials": f"{trials}, {gone} diverged" if gone else f"{trials}",
        }
    if published.beside is not None:
        cells["beside_workload"] = row["beside_workload"] or wording.UNKNOWN
    return cells


def _with_sd(mean: float | None, sd: float | None, percent: bool) -> str:
    spread = "" if _unknown(sd) else f" ± {_number(sd, percent)}"
    return _number(mean, percent) + spread


def _number(value: float | None, percent: bool, sign: str = "") -> str:
    if value is None or math.isnan(value):
        return wording.UNKNOWN
    return f"{value:{sign}.1f}" if percent else f"{value:{sign}.3g}"


def _unknown(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _spell(value: Any) -> str:
    if _unknown(value):
        return wording.UNKNOWN
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return wording.rate(float(value)) if number else str(value)
