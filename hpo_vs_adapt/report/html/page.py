"""The page of a report: one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from hpo_vs_adapt import wording
from hpo_vs_adapt.records.trials import EndReason
from hpo_vs_adapt.report.figures import Drawing
from hpo_vs_adapt.report.figures.looks import VARIABLES, looks_of
from hpo_vs_adapt.report.html.comparison import Comparison, make_comparison
from hpo_vs_adapt.report.html.figures import PageFigures
from hpo_vs_adapt.report.html.sections import make_workload_section
from hpo_vs_adapt.report.html.study_tables import LEDGER, make_suite_tables
from hpo_vs_adapt.report.html.swatches import shapes, swatch
from hpo_vs_adapt.report.html.trials_section import make_trials_table
from hpo_vs_adapt.report.sentences.answer import make_answers
from hpo_vs_adapt.report.sentences.asides import make_asides
from hpo_vs_adapt.report.sentences.overview import make_overview
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.tables.catalogue import Tables
from hpo_vs_adapt.tables.rows import rows_of

__all__ = ["render_page"]

_ROLES = {"policy": "", "retrain": "winner trained again", "sweep": "sensitivity sweep"}


def render_page(tables: Tables, drawings: list[Drawing]) -> str:
    """Return the whole page as HTML; every name in it is escaped.

    Args:
        tables: Of the study.
        drawings: From `make_drawings`.
    """
    study, progress = tables.given.study, tables["progress"]
    slugs = wording.slugs(entry.name for entry in study.workloads)
    # A workload may be called as a section of the page is.
    anchors = {name: f"workload-{slug}" for name, slug in slugs.items()}
    looks = looks_of([arm.name for arm in study.arms])
    figures = PageFigures()
    environment = _environment()
    environment.globals["swatches"] = {arm: swatch(look) for arm, look in looks.items()}
    script = _script(environment)
    return environment.get_template("page.html.j2").render(
        study=study,
        script=Markup(script),
        script_hash=_hash(script),
        answers=[
            (anchors[answer.workload], answer) for answer in make_answers(study, tables)
        ],
        overview=make_overview(study, tables),
        anchors=anchors,
        sections=[
            make_workload_section(
                entry, anchors[entry.name], study, tables, drawings, figures
            )
            for entry in study.workloads
        ],
        suite_figures=figures.place(d for d in drawings if d.topic == "suite"),
        suite_tables=make_suite_tables(tables),
        ledger_figures=figures.place(d for d in drawings if d.topic == "ledger"),
        ledger_table=LEDGER.show(tables["ledger"]),
        trials_table=make_trials_table(study, tables["trials"]),
        missing=_missing(progress),
        done=int(progress["done"].sum()),
        planned=int(progress["planned"].sum()),
        crashed=_crashed(tables["trials"]),
        asides=make_asides(study),
        comparison=_comparison(study, tables),
        provenance=tables.given.provenance,
        figure_css=figures.css,  # after all figures are placed
        shapes=shapes(looks.values()),
        colours=VARIABLES,
        counted=wording.counted,
    )


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("hpo_vs_adapt.report.html"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _script(environment: jinja2.Environment) -> str:
    assert environment.loader is not None
    source, _, _ = environment.loader.get_source(environment, "page.js")
    return source


def _hash(script: str) -> str:
    """Return what the page's policy names the script by: no other one may run."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _comparison(study: Study, tables: Tables) -> Comparison | None:
    if study.published is None:
        return None
    return make_comparison(study.published, tables["published"])


def _missing(progress: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what is planned and not done."""
    missing = progress.assign(missing=progress["planned"] - progress["done"])
    rows = rows_of(missing[missing["missing"] > 0])
    return [{**row._asdict(), "role": _ROLES[row.role]} for row in rows]


def _crashed(trials: pd.DataFrame) -> list[dict[str, Any]]:
    crashed = trials[trials["end"] == EndReason.CRASHED]
    return [row._asdict() for row in rows_of(crashed)]
