"""The page of a report: one HTML file that needs nothing beside it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup
from matplotlib.markers import MarkerStyle

from hpo_vs_adapt.report import wording
from hpo_vs_adapt.report.asides import make_asides
from hpo_vs_adapt.report.comparison import Comparison, make_comparison
from hpo_vs_adapt.report.gallery import Drawing
from hpo_vs_adapt.report.looks import ARM_COLOURS, Look, looks_of
from hpo_vs_adapt.report.rows import rows_of
from hpo_vs_adapt.report.svg import inline_svg
from hpo_vs_adapt.report.tables import Tables, crashed_trials, missing_trials
from hpo_vs_adapt.report.verdict import SURE, Verdict, goal
from hpo_vs_adapt.results import Results
from hpo_vs_adapt.study import Study, WorkloadEntry

__all__ = ["render_page"]

_ROLES = {"policy": "", "retrain": "winner trained again", "sweep": "sensitivity sweep"}


@dataclass(frozen=True, slots=True)
class _Row:
    """An arm in the table of a workload: every cell as it is shown."""

    arm: str
    kind: str
    swatch: Markup
    cheapest: bool
    trials: str
    hits: int
    passes: str
    failures: int
    bill: str
    bill_interval: str
    calibration: str
    ratio: str
    ratio_interval: str
    full_plan: str
    cost_per_run: str
    best_metric: str
    final_metric: str
    final_sd: str
    chance: str
    share: float


@dataclass(frozen=True, slots=True)
class _Section:
    """A workload in the page."""

    anchor: str
    name: str
    goal: str
    facts: tuple[str, ...]
    metric: str
    rows: list[_Row]
    figures: list[tuple[Drawing, Markup]]


def render_page(
    results: Results,
    tables: Tables,
    verdicts: list[Verdict],
    drawings: list[Drawing],
) -> str:
    """Return the whole page as HTML; every name in it is escaped.

    Args:
        results: Of the study.
        tables: From `make_tables`.
        verdicts: One for each workload.
        drawings: From `make_drawings`.
    """
    study = results.study
    anchors = wording.slugs(entry.name for entry in study.workloads)
    looks = looks_of([arm.name for arm in study.arms])
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            study=study,
            verdicts=[(anchors[verdict.workload], verdict) for verdict in verdicts],
            sections=[
                _section(entry, anchors[entry.name], tables, drawings, looks)
                for entry in study.workloads
            ],
            missing=_missing(tables.progress),
            done=int(tables.progress["done"].sum()),
            planned=int(tables.progress["planned"].sum()),
            crashed=_crashed(results.records),
            asides=make_asides(study),
            comparison=_comparison(study, tables),
            provenance=results.provenance,
            colours=list(enumerate(ARM_COLOURS)),
            counted=wording.counted,
        )
    )


def _comparison(study: Study, tables: Tables) -> Comparison | None:
    if study.published is None or tables.published is None:
        return None
    return make_comparison(study.published, tables.published)


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("hpo_vs_adapt.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _section(
    entry: WorkloadEntry,
    anchor: str,
    tables: Tables,
    drawings: list[Drawing],
    looks: dict[str, Look],
) -> _Section:
    bills = tables.bills[tables.bills["workload"] == entry.name]
    order = bills.sort_values("bill", kind="stable", na_position="last")
    evaluation = (
        f"every {wording.counted(entry.evaluate_every, 'step')}"
        if entry.evaluate_every
        else f"every {entry.evaluate_epochs:g} passes"
        if entry.evaluate_epochs
        else "at least 20 times a trial"
    )
    return _Section(
        anchor=anchor,
        name=entry.name,
        goal=goal(entry),
        facts=(
            f"budget of a trial: {entry.epochs:g} passes over the training data",
            f"batch size {entry.batch_size}",
            f"evaluated {evaluation}",
            f"{entry.precision}, split: {entry.split}",
        ),
        metric=entry.metric.name,
        rows=[_row(row, looks[row.arm]) for row in rows_of(order)],
        figures=[
            (drawing, Markup(_inline(drawing)))
            for drawing in drawings
            if drawing.workload == entry.name
        ],
    )


def _inline(drawing: Drawing) -> str:
    return inline_svg(drawing.svg, drawing.name, drawing.title, drawing.finding)


def _row(row: Any, look: Look) -> _Row:
    met = math.isfinite(row.bill)
    chance = row.first_probability
    return _Row(
        arm=row.arm,
        kind=row.kind,
        swatch=_swatch(look),
        cheapest=chance >= SURE and row.trials >= row.planned,
        trials=(
            f"{row.trials}"
            if row.trials >= row.planned
            else f"{row.trials} of {row.planned}"
        ),
        hits=row.hits,
        passes=(
            f"{row.pass_hits} of {wording.counted(row.passes, 'pass')}"
            if row.passes != row.trials
            else ""
        ),
        failures=row.failures,
        bill=wording.amount(row.bill) if met else wording.why_no_bill(row),
        bill_interval=wording.interval(row.bill_low, row.bill_high),
        calibration=(
            f"+ {wording.amount(row.calibration)} once" if row.calibration > 0 else ""
        ),
        ratio=f"{wording.ratio(row.ratio)}\N{MULTIPLICATION SIGN}"
        if math.isfinite(row.ratio)
        else wording.UNKNOWN,
        ratio_interval=(
            f"[{wording.ratio(row.ratio_low)}, {wording.ratio(row.ratio_high)}]"
            if row.ratio_low < row.ratio_high
            else ""
        ),
        full_plan=wording.amount(row.full_plan)
        if row.kind == "tuned"
        else wording.UNKNOWN,
        cost_per_run=wording.amount(row.cost_per_run),
        best_metric=wording.metric_value(row.best_metric),
        final_metric=wording.metric_value(row.final_metric),
        final_sd=(
            f"± {wording.metric_value(row.final_sd)}" if row.final_sd > 0 else ""
        ),
        chance=wording.probability(chance),
        share=0 if math.isnan(chance) else round(chance, 3),
    )


def _swatch(look: Look) -> Markup:
    """Return an arm's marker in its colour, as the figures draw it."""
    style = MarkerStyle(look.marker)
    path = style.get_path().transformed(style.get_transform())
    outline: list[Any] = path.to_polygons(closed_only=False)
    points = " ".join(f"{x:.2f},{-y:.2f}" for polygon in outline for x, y in polygon)
    return Markup(
        '<svg class="swatch" viewBox="-.75 -.75 1.5 1.5" aria-hidden="true">'
        '<polygon points="{}" fill="var({})"/></svg>'
    ).format(points, look.variable)


def _missing(progress: pd.DataFrame) -> list[dict[str, Any]]:
    rows = rows_of(missing_trials(progress))
    return [{**row._asdict(), "role": _ROLES[row.role]} for row in rows]


def _crashed(records: pd.DataFrame) -> list[dict[str, Any]]:
    rows = rows_of(crashed_trials(records))
    return [
        {**row._asdict(), "settings": json.dumps(row.settings, sort_keys=True)}
        for row in rows
    ]
