"""The smoke run of a study: the same file with fewer seeds, shorter trials, less swept.

It shows in minutes that a study works that takes hours; its numbers answer nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo_vs_adapt.study.errors import FieldError, Problems, StudyError
from hpo_vs_adapt.study.schema import SmokeSchema, StudySchema
from hpo_vs_adapt.study.workloads import label_of
from hpo_vs_adapt.wording import nearest

__all__ = ["SUFFIX", "merge_smoke"]

SUFFIX = "-smoke"
"""What the name of a smoke run has more than that of its study."""

_MISSING = (
    "`smoke` is missing: the study has no smaller settings to run `--smoke` with. Add "
    "some, such as {seeds: [0], budget: {epochs: 1}}."
)


def merge_smoke(
    data: Mapping[str, Any], schema: StudySchema, source: Path | None
) -> dict[str, Any]:
    """Return the study that is the smoke run of this one, as a file would have it.

    Seeds, budget and sweeps replace those of the study; `workloads` and `arms` name
    what stays, each with changes that are merged key by key.

    Args:
        data: What the file holds.
        schema: The same, its shape checked.
        source: The file.

    Raises:
        StudyError: If there is no `smoke`, or it names what the study does not have.
    """
    smoke = schema.smoke
    if smoke is None:
        raise StudyError([_MISSING], source)
    problems = Problems()
    workloads = {_label(entry): _mapping(entry) for entry in data["workloads"]}
    arms = {arm["name"]: dict(arm) for arm in data["arms"]}
    with problems.collecting():
        workloads = _kept("workloads", workloads, smoke.workloads)
    with problems.collecting():
        arms = _kept("arms", arms, smoke.arms)
    problems.check(source)
    if smoke.budget is not None:
        changed = {k for k, v in (smoke.workloads or {}).items() if "budget" in v}
        for label, entry in workloads.items():
            if label not in changed:
                entry["budget"] = smoke.budget.model_dump()
    merged = {
        **data,
        "name": f"{schema.name}{SUFFIX}",
        "seeds": data.get("seeds") if smoke.seeds is None else list(smoke.seeds),
        "workloads": list(workloads.values()),
        "arms": list(arms.values()),
        "reference": schema.reference if schema.reference in arms else None,
        "sensitivity": _sweeps(data, smoke, arms, workloads),
    }
    return {key: v for key, v in merged.items() if v is not None and key != "smoke"}


def _kept(
    key: str, known: dict[str, dict[str, Any]], wanted: Mapping[str, Any] | None
) -> dict[str, dict[str, Any]]:
    """Return the entries that stay, with their changes, in the order of the study.

    Raises:
        FieldError: If one is named that the study does not have.
    """
    if wanted is None:
        return known
    for name in wanted:
        if name not in known:
            hint = nearest(name, sorted(known))
            raise FieldError(f"`smoke.{key}`: the study has no `{name}`; {hint}")
    return {
        name: _merged(entry, wanted[name])
        for name, entry in known.items()
        if name in wanted
    }


def _merged(entry: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping with changes: mappings key by key, all else replaced."""
    merged = dict(entry)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[key] = _merged(old, value)
        else:
            merged[key] = value
    return merged


def _sweeps(
    data: Mapping[str, Any],
    smoke: SmokeSchema,
    arms: Mapping[str, Any],
    workloads: Mapping[str, Any],
) -> list[Any]:
    if smoke.sensitivity is not None:
        return list(smoke.sensitivity)
    sweeps = []
    for sweep in data.get("sensitivity") or ():
        kept = {"arms": [name for name in sweep["arms"] if name in arms]}
        if sweep.get("workloads") is not None:
            kept["workloads"] = [w for w in sweep["workloads"] if w in workloads]
        if all(kept.values()):
            sweeps.append({**sweep, **kept})
    return sweeps


def _mapping(entry: Any) -> dict[str, Any]:
    return {"name": entry} if isinstance(entry, str) else dict(entry)


def _label(entry: Any) -> str:
    entry = _mapping(entry)
    return entry.get("label") or label_of(entry["name"])
