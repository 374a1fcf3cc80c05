"""A workload in the page: its topics in reading order, each with figures and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from hpo_vs_adapt import wording
from hpo_vs_adapt.report.figures import Drawing
from hpo_vs_adapt.report.html.arms_table import (
    ArmRow,
    flops_per_gradient,
    make_arm_rows,
)
from hpo_vs_adapt.report.html.cells import PageTable
from hpo_vs_adapt.report.html.figures import PageFigures
from hpo_vs_adapt.report.html.target_control import TargetControl, make_target_control
from hpo_vs_adapt.report.html.workload_tables import make_workload_tables
from hpo_vs_adapt.report.sentences.verdict import goal
from hpo_vs_adapt.study import Study, WorkloadEntry
from hpo_vs_adapt.tables.rows import of_workload

__all__ = ["Topic", "WorkloadSection", "make_workload_section"]

_TOPICS = {
    "bills": (
        "Bills",
        "What it costs until the target is first met, tuning included.",
    ),
    "race": (
        "Race",
        "How far each arm has come for what it had spent by then.",
    ),
    "budgets": (
        "Budgets",
        "Who is best for how much spending.",
    ),
    "break_even": (
        "Break-even",
        "When tuning pays: over further trainings, cheaper failures, more workers.",
    ),
    "sensitivity": (
        "Sensitivity",
        "How careful one must be with what nobody tuned, the learning rate above all.",
    ),
    "controllers": (
        "Controllers",
        "What the rules that adapt by themselves did.",
    ),
    "targets": (
        "Targets",
        "How the answer depends on the target.",
    ),
}


@dataclass(frozen=True, slots=True)
class Topic:
    """What the page has on one question about a workload.

    Args:
        name: ``bills``, ``race`` and so on.
        anchor: Its id in the page.
        title: Its heading.
        about: What it is about, in a sentence.
        figures: Drawings and their SVG elements.
        tables: That follow them.
        units: Whether it can be shown in FLOPs too.
    """

    name: str
    anchor: str
    title: str
    about: str
    figures: list[tuple[Drawing, Markup]]
    tables: list[PageTable]
    units: bool


@dataclass(frozen=True, slots=True)
class WorkloadSection:
    """A workload in the page.

    Args:
        anchor: Its id in the page.
        name: Label in the study.
        goal: Its target in words.
        facts: How its trials were run.
        metric: Name of the validation metric.
        rows: Its arms, the cheapest first.
        topics: In reading order; those with nothing to show are left out.
        control: Of the target sweep, or None.
    """

    anchor: str
    name: str
    goal: str
    facts: tuple[str, ...]
    metric: str
    rows: list[ArmRow]
    topics: list[Topic]
    control: TargetControl | None


def make_workload_section(
    entry: WorkloadEntry,
    anchor: str,
    study: Study,
    tables: Mapping[str, pd.DataFrame],
    drawings: list[Drawing],
    figures: PageFigures,
) -> WorkloadSection:
    """Return a workload's part of the page.

    Args:
        entry: The workload.
        anchor: Its id in the page.
        study: That it is of.
        tables: Of the study, see `tables.catalogue`.
        drawings: Of the study.
        figures: Of the page.
    """
    own = [d for d in drawings if d.workload == entry.name]
    beside = make_workload_tables(tables, entry.name, anchor)
    control = make_target_control(
        entry,
        f"{anchor}-sweep",
        of_workload(tables["target_sweep"], entry.name),
        [arm.name for arm in study.arms],
    )
    flops = flops_per_gradient(of_workload(tables["trials"], entry.name))
    return WorkloadSection(
        anchor=anchor,
        name=entry.name,
        goal=goal(entry),
        facts=_facts(entry),
        metric=entry.metric.name,
        rows=make_arm_rows(of_workload(tables["bills"], entry.name), flops),
        topics=_topics(anchor, own, figures, beside, control, flops > 0),
        control=control,
    )


def _topics(
    anchor: str,
    drawings: list[Drawing],
    placed: PageFigures,
    beside: dict[str, list[PageTable]],
    control: TargetControl | None,
    has_flops: bool,
) -> list[Topic]:
    topics = []
    for name, (title, about) in _TOPICS.items():
        figures = [drawing for drawing in drawings if drawing.topic == name]
        tables = beside.get(name, [])
        alone = name == "bills" or (name == "targets" and control is not None)
        if not figures and not tables and not alone:
            continue
        both = name == "bills" or any(drawing.unit == "flops" for drawing in figures)
        topics.append(
            Topic(
                name=name,
                anchor=f"{anchor}-{name.replace('_', '-')}",
                title=title,
                about=about,
                figures=placed.place(figures),
                tables=tables,
                units=both and has_flops,
            )
        )
    return topics


def _facts(entry: WorkloadEntry) -> tuple[str, ...]:
    evaluation = (
        f"every {wording.counted(entry.evaluate_every, 'step')}"
        if entry.evaluate_every
        else f"every {entry.evaluate_epochs:g} passes"
        if entry.evaluate_epochs
        else "at least 20 times a trial"
    )
    return (
        f"budget of a trial: {entry.epochs:g} passes over the training data",
        f"batch size {entry.batch_size}",
        f"evaluated {evaluation}",
        f"{entry.precision}, split: {entry.split}",
    )
