"""Reading what a report's folder holds as data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hpo_vs_adapt.study import StudyError
from hpo_vs_adapt.study.text import parse, read_text
from hpo_vs_adapt.wording import Problem

__all__ = ["Report", "ReportProblem", "read_report"]

SCHEMA = 1
"""Of the ``summary.json`` that can be read."""

_NAMES = ("workload", "arm", "kind", "by", "role", "key", "rule", "settings", "end")
_FLAGS = ("failed", "hit")
_COUNTS = ("stream", "number", "batch_size", "seed")
_AMOUNTS = ("cost", "cost_to_target", "best_metric")
_TRIALS = (*_NAMES, *_FLAGS, *_COUNTS, *_AMOUNTS)
_PROGRESS = ("workload", "arm", "role", "planned", "done")

_SUMMARY = ("study", "unit", "provenance", "workloads", "arms")
_WORKLOAD = ("name", "metric", "mode", "target", "budget")
_ARM = ("workload", "arm", "kind")


class ReportProblem(Problem):
    """A folder that is no report, or none that can be read, in one sentence."""


@dataclass(frozen=True)
class Report:
    """A report as data.

    Args:
        folder: Where it lies.
        study: Name of the study.
        unit: Of all costs.
        provenance: Versions, revision and hardware.
        workloads: What ``summary.json`` says of each workload, by its name.
        arms: Pairs of workload and arm, in the order of the study.
        trials: One row a trial of a stream, of `TRIAL_COLUMNS` those that tell
            what it was and what came out; settings are mappings.
        progress: Columns `PROGRESS_COLUMNS`.
        described: The study file; empty where the report has none.
    """

    folder: Path
    study: str
    unit: str
    provenance: dict[str, str]
    workloads: dict[str, dict[str, Any]]
    arms: tuple[tuple[str, str], ...]
    trials: pd.DataFrame
    progress: pd.DataFrame
    described: dict[str, Any]


def read_report(folder: str | Path) -> Report:
    """Return the report that a folder holds.

    Args:
        folder: With ``summary.json``, ``tables/trials.csv``, ``tables/progress.csv``
            and, if its definitions are to be known, ``study.yaml``.

    Raises:
        ReportProblem: If a file is not there or is not what a report has there.
    """
    folder = Path(folder)
    summary = _read_summary(folder)
    described = folder / "study.yaml"
    try:
        study = parse(read_text(described), described) if described.exists() else {}
    except StudyError as error:
        raise ReportProblem(str(error)) from None
    workloads = {each["name"]: each for each in summary["workloads"]}
    trials = _read_trials(folder / "tables" / "trials.csv")
    return Report(
        folder=folder,
        study=str(summary["study"]),
        unit=str(summary["unit"]),
        provenance=dict(summary["provenance"]),
        workloads=workloads,
        arms=tuple((each["workload"], each["arm"]) for each in summary["arms"]),
        # A report that is just being renewed may have tables ahead of its summary.
        trials=trials[trials["workload"].isin(workloads)],
        progress=_read_table(folder / "tables" / "progress.csv", _PROGRESS),
        described=study,
    )


def _read_summary(folder: Path) -> dict[str, Any]:
    path = folder / "summary.json"
    if not path.is_file():
        raise ReportProblem(
            f"{folder} must be the folder of a report; got one without summary.json. "
            "`hpo-vs-adapt report STUDY.yaml` writes reports."
        )
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:  # no JSON, or no UTF-8
        raise ReportProblem(f"{path} must hold JSON; got {error}.") from None
    schema = summary.get("schema") if isinstance(summary, dict) else None
    if schema != SCHEMA:
        raise ReportProblem(
            f"{path}: `schema` must be {SCHEMA}; got {schema!r}. "
            "Write the report again with this version of hpo-vs-adapt."
        )
    _check_keys(path, "", summary, _SUMMARY)
    for part, names in (("workloads", _WORKLOAD), ("arms", _ARM)):
        for index, each in enumerate(summary[part]):
            _check_keys(path, f"{part}[{index}].", each, names)
    return dict(summary)


def _check_keys(path: Path, place: str, part: Any, names: tuple[str, ...]) -> None:
    for name in names:
        if not isinstance(part, dict) or name not in part:
            raise ReportProblem(f"{path}: `{place}{name}` must be there; got nothing.")


def _read_trials(path: Path) -> pd.DataFrame:
    trials = _read_table(path, _TRIALS)
    try:
        settings = [json.loads(each) for each in trials["settings"]]
    except ValueError as error:
        raise ReportProblem(f"{path}: `settings` must be JSON; got {error}.") from None
    return trials.assign(settings=pd.Series(settings, trials.index, dtype=object))


def _read_table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Return some columns of a table that a report has written.

    Raises:
        ReportProblem: If it is not there, lacks a column, or has a wrong value.
    """
    if not path.is_file():
        raise ReportProblem(f"{path} must be a table of the report; got no file.")
    # Names are names, also those that look like numbers or like nothing ("null").
    names = [name for name in columns if name in _NAMES]
    amounts = {name: [""] for name in _AMOUNTS}
    try:
        table = pd.read_csv(
            path,
            dtype=dict.fromkeys(names, str),
            keep_default_na=False,
            na_values=amounts,
        )
        missing = [name for name in columns if name not in table]
        if missing:
            raise ReportProblem(f"{path} must have the columns {missing!r}; got none.")
        kinds = dict.fromkeys(_FLAGS, bool) | dict.fromkeys(_AMOUNTS, float)
        counts = dict.fromkeys((*_COUNTS, "planned", "done"), int)
        known = {k: v for k, v in (kinds | counts).items() if k in columns}
        return table[list(columns)].astype(known)
    except (ValueError, UnicodeError, OSError) as error:
        raise ReportProblem(f"{path} must be a table of a report; {error}.") from None
