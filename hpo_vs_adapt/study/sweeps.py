"""Sensitivity sweeps of a study: from the file's shape to checked parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

from hpo_vs_adapt.study.arms import check_combinations, check_together, combinations
from hpo_vs_adapt.study.errors import Problems
from hpo_vs_adapt.study.parts import Arm, Sweep
from hpo_vs_adapt.study.schema import SweepSchema
from hpo_vs_adapt.study.values import Known
from hpo_vs_adapt.wording import nearest

if TYPE_CHECKING:
    from hpo_vs_adapt.records.trials import Value

__all__ = ["Built", "build_sweep", "check_overlaps"]

Built = tuple[Arm, Known]
"""An arm that is right, and what its rule's settings may be."""


def build_sweep(
    schema: SweepSchema,
    path: str,
    arms: Mapping[str, Built | None],
    workloads: Sequence[str | None],
    problems: Problems,
) -> Sweep:
    """Return a sweep; what is wrong with it is added to `problems`.

    Args:
        schema: As the file has it.
        path: Where it is in the file, ``sensitivity[0]``.
        arms: All arms by name; None for one that is wrong itself.
        workloads: Labels of all workloads; None for one that is wrong itself.
        problems: Collects what is wrong.
    """
    for key in ("arms", "vary", "workloads"):
        if getattr(schema, key) in ((), {}):
            problems.found.append(f"`{path}.{key}` must not be empty.")
    before = len(problems.found)
    vary: dict[str, tuple[Value, ...]] = {}
    swept = _swept(schema, path, arms, problems)
    for setting, values in schema.vary.items():
        for _, known in swept:
            with problems.collecting():
                at = f"{path}.vary.{setting}"
                vary[setting] = known.listed(at, setting, values)
    with problems.collecting():
        check_combinations(f"{path}.vary", vary)
    if len(problems.found) == before:
        for arm, known in swept:
            with problems.collecting():
                for point in combinations(vary):
                    at = f"{path}.vary` for `{arm.name}"
                    check_together(at, known, arm.settings, point)
    places = tuple(label for label in workloads if label is not None)
    if schema.workloads is not None:
        _check_places(schema.workloads, path, workloads, problems)
        places = schema.workloads
    return Sweep(schema.arms, vary, places)


def _check_places(
    named: Sequence[str],
    path: str,
    workloads: Sequence[str | None],
    problems: Problems,
) -> None:
    known = [label for label in workloads if label is not None]
    for i, name in enumerate(named):
        if name in named[:i]:
            problems.found.append(f"`{path}.workloads` must not name `{name}` twice.")
        elif name not in known and None not in workloads:
            problems.found.append(
                f"`{path}.workloads[{i}]`: there is no workload `{name}`; "
                f"{nearest(name, sorted(known))}"
            )


def _swept(
    schema: SweepSchema, path: str, arms: Mapping[str, Built | None], problems: Problems
) -> list[Built]:
    swept = []
    for i, name in enumerate(schema.arms):
        built = arms.get(name)
        if name not in arms:
            hint = nearest(name, sorted(arms))
            problems.found.append(
                f"`{path}.arms[{i}]`: there is no arm `{name}`; {hint}"
            )
        elif name in schema.arms[:i]:
            problems.found.append(f"`{path}.arms` must not name `{name}` twice.")
        elif built is not None:
            swept.append(built)
    return swept


def check_overlaps(sweeps: Sequence[Sweep], problems: Problems) -> None:
    """Note sweeps of one arm over the same settings: they would share a name."""
    seen: dict[tuple[str, str, frozenset[str]], int] = {}
    noted = set()
    for i, sweep in enumerate(sweeps):
        for arm, workload in product(sweep.arms, sweep.workloads):
            first = seen.setdefault((arm, workload, frozenset(sweep.vary)), i)
            if first != i and (arm, i) not in noted:
                noted.add((arm, i))
                problems.found.append(
                    f"`sensitivity[{i}]` varies the same settings of `{arm}` as "
                    f"`sensitivity[{first}]`; write the values into one list."
                )
