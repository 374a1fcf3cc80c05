"""Reports of imagined studies, and readers of what is found when they are compared."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pandas as pd

from hpo_vs_adapt.report.compare import Comparison, compare_reports, read_report
from tests.report import builder

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "reports" / "examples"
QUICKSTART = EXAMPLES / "quickstart"


def written(tmp_path: Path, name: str, **parts: Any) -> Path:
    """Write what is read of the report of an imagined study."""
    results = builder.finished(builder.study(**{"sweep": False, **parts}))
    folder = tmp_path / name
    (folder / "tables").mkdir(parents=True)
    settings = [json.dumps(one) for one in results.records["settings"]]
    trials = results.records.assign(settings=settings)
    trials.to_csv(folder / "tables" / "trials.csv", index=False)
    results.progress.to_csv(folder / "tables" / "progress.csv", index=False)
    study = results.study
    facts = [
        {
            **{"name": one.name, "metric": one.metric.name, "mode": one.metric.mode},
            **{"target": one.target, "budget": {"epochs": one.epochs}},
        }
        for one in study.workloads
    ]
    places = [
        {"workload": one["name"], "arm": arm.name, "kind": arm.kind}
        for one, arm in itertools.product(facts, study.arms)
    ]
    summary = {"schema": 1, "study": study.name, "unit": "sample gradients"}
    summary |= {"provenance": dict(results.provenance)}
    summary |= {"workloads": facts, "arms": places}
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "study.yaml").write_text(study.text)
    return folder


def compared(*folders: Path) -> Comparison:
    return compare_reports([read_report(folder) for folder in folders])


def row(comparison: Comparison, arm: str, quantity: str) -> dict[str, Any]:
    table = comparison.changes
    chosen = table[(table["arm"] == arm) & (table["quantity"] == quantity)]
    (found,) = chosen.to_dict("records")
    return {str(name): value for name, value in found.items()}


def notes(comparison: Comparison, about: str, name: str = "B") -> tuple[str, ...]:
    found = [one.items for one in comparison.notes[name] if one.about.startswith(about)]
    return found[0] if found else ()


def change_table(folder: Path, name: str, **columns: Any) -> None:
    """Set columns of a table of a report to other values."""
    path = folder / "tables" / f"{name}.csv"
    table = pd.read_csv(path, dtype={"key": str})
    table.assign(**columns).to_csv(path, index=False)


def change_summary(folder: Path, **parts: Any) -> None:
    path = folder / "summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **parts}))
