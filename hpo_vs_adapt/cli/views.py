"""What the command line shows: tables for the terminal."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Group, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hpo_vs_adapt.observers.terminal.totals import duration
from hpo_vs_adapt.wording import amount, counted, interval, metric_value, probability

if TYPE_CHECKING:
    import pandas as pd

    from hpo_vs_adapt.optim.base import Rule
    from hpo_vs_adapt.records.trials import Value
    from hpo_vs_adapt.run import PlanSummary
    from hpo_vs_adapt.workloads.base import Workload

__all__ = [
    "arms_view",
    "plan_view",
    "rules_view",
    "status_view",
    "workloads_view",
]


WIDE = 96
"""Columns from which on intervals fit beside names of usual length."""


def arms_view(summary: Mapping[str, Any], width: int) -> Group:
    """Return the arms of a study with their bills, workload by workload.

    Args:
        summary: What ``summary.json`` holds.
        width: Columns there are; intervals are left out where they do not fit.
    """
    parts: list[RenderableType] = []
    for workload in summary["workloads"]:
        name = workload["name"]
        arms = [arm for arm in summary["arms"] if arm["workload"] == name]
        parts += [Text(name, style="bold"), _arms_table(arms, width >= WIDE), Text()]
    parts.append(Text(f"Costs in {summary['unit']}; the bill has the tuning in it.\n"))
    return Group(*parts)


def _arms_table(arms: Iterable[Mapping[str, Any]], wide: bool) -> Table:
    table = _table("arm", "kind", "trials", "hits", "failed")
    costs = ("bill", "interval", "per run") if wide else ("bill", "per run")
    for name in (*costs, "best", "P(first)"):
        table.add_column(name, justify="right", no_wrap=True)
    for arm in arms:
        bill, run = arm["bill"], arm["cost_per_run"]
        # a bracket would be markup to rich
        between = Text(interval(_number(bill["low"]), _number(bill["high"])))
        table.add_row(
            *_texts(arm["arm"], arm["kind"]),
            *map(str, (arm["trials"], arm["hits"], arm["failures"])),
            amount(_number(bill["expected"])),
            *([between] if wide else []),
            amount(_number(run["expected"])),
            metric_value(_number(arm["best_metric"])),
            probability(_number(arm["first_probability"])),
        )
    return table


def plan_view(plan: PlanSummary) -> Group:
    """Return what a run would do."""
    table = _table("workload", "arm", "role", "planned", "found", "missing")
    for row in plan.rows:
        counts = (row.planned, row.found, row.planned - row.found)
        table.add_row(*_texts(row.workload, row.arm, row.role), *map(str, counts))
    missing = plan.trials - plan.found
    trials = counted(plan.trials, "trial")
    lines = [f"{trials} planned, {plan.found} found on disk, {missing} missing."]
    if missing:
        lines.append(
            f"{counted(plan.packs, 'pack')} can begin at once; the missing trials take "
            f"about {amount(plan.sample_gradients)} sample gradients"
            f"{_time(plan.seconds)}."
        )
    return Group(table, Text(), *map(Text, lines))


def status_view(
    progress: pd.DataFrame,
    records: pd.DataFrame,
    running: Mapping[tuple[str, str, str], int],
) -> Group:
    """Return what is done, running, missing and failed.

    Args:
        progress: `Results.progress`.
        records: `Results.records`.
        running: Trials that are training, by workload, arm and role.
    """
    names = ("planned", "done", "running", "missing", "diverged", "crashed")
    table = _table("workload", "arm", "role", *names)
    place = ["workload", "arm", "role"]
    ends = records.groupby([*place, "end"]).size().to_dict()
    totals = dict.fromkeys(names, 0)
    for row in progress.to_dict("records"):
        key = tuple(row[name] for name in place)
        counts = {
            "planned": int(row["planned"]),
            "done": int(row["done"]),
            "running": running.get((key[0], key[1], key[2]), 0),
            "missing": int(row["planned"] - row["done"]),
            "diverged": int(ends.get((*key, "diverged"), 0)),
            "crashed": int(ends.get((*key, "crashed"), 0)),
        }
        table.add_row(*_texts(*key), *map(str, counts.values()))
        for name, count in counts.items():
            totals[name] += count
    line = (
        f"{totals['done']} of {totals['planned']} trials done, {totals['running']} "
        f"running, {totals['missing']} missing, {totals['diverged']} diverged, "
        f"{totals['crashed']} crashed."
    )
    return Group(table, Text(), Text(line))


def workloads_view(workloads: Mapping[str, type[Workload]]) -> Group:
    """Return the workloads that a study can name, with what they bring."""
    parts: list[RenderableType] = []
    for name, workload in workloads.items():
        facts = (
            f"target: {workload.metric.name} {workload.target:g}, "
            f"{workload.target_source}\n"
            f"budget: {workload.epochs:g} epochs, batch size {workload.batch_size}"
        )
        parts += _entry(name, inspect.getdoc(workload) or "", facts)
    return Group(*parts)


def rules_view(rules: Mapping[str, type[Rule]]) -> Group:
    """Return the rules that a study can name, with their settings."""
    parts: list[RenderableType] = []
    for name, rule in rules.items():
        facts = (
            f"reference: {rule.reference}\n"
            f"adapts: {rule.adapts}\n"
            f"defaults from: {rule.defaults}\n"
            f"trials that finding them took: {_known(rule.defaults_trials)}\n"
            f"tuners look at: {_spelt_space(rule)}\n"
            f"extra gradients a step: {rule.extra_gradients}\n"
            f"extra copies of the parameters: {rule.extra_memory}"
        )
        about = (inspect.getdoc(rule) or "").partition("\n\n")[0]  # no formulas
        parts += _entry(name, about, facts)
        table = _table("setting", "default", "must be", "meaning")
        for setting, known in rule.settings.items():
            row = (setting, _spell(known.default), known.allowed, known.doc)
            table.add_row(*_texts(*row))
        parts += [Padding(table, (0, 0, 0, 2), expand=False), Text()]
    return Group(*parts)


def _spelt_space(rule: type[Rule]) -> str:
    if not rule.space:
        return "what the study says"
    ranges = ", ".join(
        f"{name} {one.low:g} to {one.high:g}" + (" (log)" if one.log else "")
        for name, one in rule.space.items()
    )
    trials = _known(rule.space_trials)
    return f"{ranges}; from: {rule.space_from}; trials that choosing it took: {trials}"


def _known(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def _entry(name: str, about: str, facts: str) -> Iterator[RenderableType]:
    paragraphs = [" ".join(part.split()) for part in about.split("\n\n")]
    text = Text("\n".join([*paragraphs, facts, ""]))
    yield Text(name, style="bold")
    yield Padding(text, (0, 0, 0, 2), expand=False)


def _table(*columns: str) -> Table:
    """Return an empty table; columns of counts are named in plain words."""
    counts = (
        "trials",
        "hits",
        "failed",
        "planned",
        "found",
        "missing",
        "done",
        "running",
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for name in columns:
        count = name in (*counts, "diverged", "crashed")
        justify: JustifyMethod = "right" if count else "left"
        table.add_column(name, justify=justify, overflow="fold")
    return table


def _texts(*values: str) -> list[Text]:
    """Return names so that brackets in them are not read as styles."""
    return [Text(value) for value in values]


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _spell(value: Value) -> str:
    """Return a value as a study file has it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_spell, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "; nothing is on disk from which to tell the time"
    return f" and {duration(seconds)} of computing"
