"""Which figures a report has: axes, titles, captions and text alternatives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pandas as pd

from hpo_vs_adapt.report.figures.bills import draw_all_bills
from hpo_vs_adapt.report.figures.break_even import draw_break_even
from hpo_vs_adapt.report.figures.budgets import draw_budgets
from hpo_vs_adapt.report.figures.controllers import draw_controllers
from hpo_vs_adapt.report.figures.ledger import draw_spending
from hpo_vs_adapt.report.figures.race import draw_races
from hpo_vs_adapt.report.figures.scene import Drawing, Scene, make_scene
from hpo_vs_adapt.report.figures.sensitivity import draw_sensitivity
from hpo_vs_adapt.report.figures.style import house_style
from hpo_vs_adapt.report.figures.suite import draw_suite
from hpo_vs_adapt.report.figures.svg import quiet_glyphs
from hpo_vs_adapt.report.figures.targets import draw_targets
from hpo_vs_adapt.report.figures.tuned import draw_tuned
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.wording import slugs

__all__ = ["Drawing", "make_drawings"]

_TOPICS = (
    draw_all_bills,
    draw_races,
    draw_budgets,
    draw_break_even,
    draw_sensitivity,
    draw_tuned,
    draw_controllers,
    draw_targets,
    draw_spending,
)


def make_drawings(
    study: Study,
    tables: Mapping[str, pd.DataFrame],
    tell: Callable[[str], object] | None = None,
) -> list[Drawing]:
    """Return the figures of a study, workload by workload, in reading order.

    Figures over all workloads come last. What there are no numbers for is left out.

    Args:
        study: What was compared.
        tables: Of the study, see `tables.catalogue`.
        tell: Called with what is drawn next, such as ``figures of digits_mlp``.
    """
    names = slugs(entry.name for entry in study.workloads)
    with house_style(), quiet_glyphs():
        drawings: list[Drawing] = []
        for entry in study.workloads:
            if tell is not None:
                tell(f"figures of {entry.name}")
            scene = make_scene(study, entry, names[entry.name], tables)
            drawings += _of_workload(scene)
        return [*drawings, *draw_suite(study, tables)]


def _of_workload(scene: Scene) -> Iterator[Drawing]:
    for topic in _TOPICS:
        yield from topic(scene)
