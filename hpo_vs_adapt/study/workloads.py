"""Workloads of a study: from the file's shape to checked parts."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from hpo_vs_adapt.study.errors import FieldError, Problems, must
from hpo_vs_adapt.study.parts import WorkloadEntry
from hpo_vs_adapt.study.schema import WorkloadSchema

if TYPE_CHECKING:
    from hpo_vs_adapt.workloads.base import Metric, Workload

__all__ = ["build_workload", "label_of"]


def build_workload(
    schema: WorkloadSchema, path: str, base: Path, problems: Problems
) -> WorkloadEntry | None:
    """Return a workload with its own defaults filled in; None if it is wrong.

    Args:
        schema: As the file has it.
        path: Where it is in the file, ``workloads[0]``.
        base: Folder that relative references start at.
        problems: Collects what is wrong.
    """
    from hpo_vs_adapt.plugins.references import ReferenceProblem, find_workload

    try:
        workload = find_workload(schema.name, base)
    except ReferenceProblem as problem:
        problems.found.append(f"`{path}.name`: {problem}")
        return None
    try:
        return _entry(schema, path, workload)
    except FieldError as error:
        problems.found.append(str(error))
        return None


def _entry(schema: WorkloadSchema, path: str, workload: Workload) -> WorkloadEntry:
    target = workload.target if schema.target is None else schema.target
    _check_target(f"{path}.target", target, workload.metric)
    steps = epochs = None
    if (interval := schema.evaluate_every) is not None:
        steps, epochs = interval.steps, interval.epochs
        if (steps is None) == (epochs is None):
            rule = "a positive integer (steps) or {epochs: a number > 0}"
            raise must(f"{path}.evaluate_every", rule, interval.model_dump())
    return WorkloadEntry(
        name=schema.label or label_of(schema.name),
        reference=schema.name,
        target=float(target),
        epochs=float(
            workload.epochs if schema.budget is None else schema.budget.epochs
        ),
        batch_size=schema.batch_size or workload.batch_size,
        evaluate_every=steps,
        evaluate_epochs=epochs,
        split=schema.split or "default",
        data=schema.data,
        precision=schema.precision or "float32",
        metric=workload.metric,
    )


def label_of(reference: str) -> str:
    """Return a workload's label where the study gives none.

    It is the name after the colon of a reference, or the known name.
    """
    return PurePath(reference.rpartition(":")[2]).name


def _check_target(path: str, target: float, metric: Metric) -> None:
    low, high = metric.low, metric.high
    above = low is None or target >= low
    below = high is None or target <= high
    if above and below:
        return
    if low is not None and high is not None:
        rule = f"between {low:g} and {high:g}"
    else:
        rule = f"at least {low:g}" if high is None else f"at most {high:g}"
    raise must(path, f"{rule}, the range of the {metric.name}", target)
