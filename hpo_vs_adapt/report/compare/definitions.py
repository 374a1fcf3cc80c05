"""What two reports define otherwise, and what only one of them has."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hpo_vs_adapt.report.compare.arm_trials import units
from hpo_vs_adapt.report.compare.report_files import Report
from hpo_vs_adapt.wording import UNKNOWN, counted, listed, shorten

__all__ = ["Note", "make_notes"]

UNSET = "default"
"""Stands for the value of a key that a study file does not have."""

_LONGEST = 48
"""Letters of a value."""

_MOST = 7
"""Names that are told; the rest are counted."""

_TRIAL = ["workload", "arm", "role", "stream", "number", "seed", "batch_size", "given"]
"""What makes a trial, code and data apart."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something to know before numbers are compared.

    Args:
        about: What the items are.
        items: One sentence or name each.
    """

    about: str
    items: tuple[str, ...]


def make_notes(first: Report, other: Report, names: tuple[str, str]) -> list[Note]:
    """Return what the reader of a comparison must know of the two reports.

    Args:
        first: The report that others are compared to.
        other: One of the others.
        names: What the two are called.
    """
    one, two = names
    notes = [
        Note("Other versions", tuple(_versions(first, other))),
        Note("Defined otherwise", tuple(_definitions(first, other))),
        Note(
            "Same settings and seeds, other records: code, data, budget or evaluations "
            "have changed",
            tuple(_retrained(first, other)),
        ),
        Note(f"Only in {one}", tuple(_only(first, other))),
        Note(f"Only in {two}", tuple(_only(other, first))),
        Note(f"Not finished in {one}", tuple(_unfinished(first))),
        Note(f"Not finished in {two}", tuple(_unfinished(other))),
    ]
    return [note for note in notes if note.items]


def _versions(first: Report, other: Report) -> Iterator[str]:
    for name in {**first.provenance, **other.provenance}:
        values = (report.provenance.get(name, UNKNOWN) for report in (first, other))
        one, two = values
        if one != two:
            yield f"{name} {one} → {two}"


def _definitions(first: Report, other: Report) -> Iterator[str]:
    policies = (one.trials[one.trials["role"] == "policy"] for one in (first, other))
    seeds = [sorted(set(units(policy))) for policy in policies]
    if seeds[0] != seeds[1]:
        yield f"seeds: {_spell(seeds[0])} → {_spell(seeds[1])}"
    for name in (name for name in first.workloads if name in other.workloads):
        one, two = _described(first, other, "workloads", name)
        one |= _flat(first.workloads[name])
        two |= _flat(other.workloads[name])
        yield from _told(name, one, two)
    for name in _shared_arms(first, other):
        one, two = _described(first, other, "arms", name)
        given, gave = (_given(report, name) for report in (first, other))
        searched = {key.split(".")[2] for key in (*one, *two) if key.count(".") > 1}
        for key in sorted((given.keys() & gave.keys()) - searched):
            one[f"optimizer.{key}"], two[f"optimizer.{key}"] = given[key], gave[key]
        yield from _told(name, one, two)


def _told(name: str, one: dict[str, Any], two: dict[str, Any]) -> Iterator[str]:
    """Return one item on the keys of `name` that differ, or none."""
    changes = [
        f"{key} {_spell(one.get(key, UNSET))} → {_spell(two.get(key, UNSET))}"
        for key in {**one, **two}
        if one.get(key, UNSET) != two.get(key, UNSET)
    ]
    if changes:
        yield f"{name}: {'; '.join(changes)}"


def _described(
    first: Report, other: Report, part: str, name: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what both study files say of a workload or arm, or nothing of both."""
    one, two = (_entry(report, part, name) for report in (first, other))
    return (one, two) if one and two else ({}, {})


def _entry(report: Report, part: str, name: str) -> dict[str, Any]:
    """Return what the study file says of a workload or arm, flat; nothing without."""
    entries = report.described.get(part)
    for entry in entries if isinstance(entries, list) else ():
        one = entry if isinstance(entry, dict) else {"name": entry}
        if (one.get("label") or one.get("name")) == name:
            return _flat(one)
    return {}


def _flat(entry: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a mapping without mappings in it: ``{"budget.epochs": 20}``."""
    flat: dict[str, Any] = {}
    for key, value in entry.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _given(report: Report, arm: str) -> dict[str, Any]:
    """Return the settings that all trials of an arm's policy were given.

    They tell of what a study file does not spell out, such as calibrated settings.
    """
    trials = report.trials
    chosen = trials[(trials["arm"] == arm) & (trials["role"] == "policy")]
    common, *others = list(chosen["settings"]) or [{}]
    return {
        name: value
        for name, value in common.items()
        if all(each.get(name) == value for each in others)
    }


def _retrained(first: Report, other: Report) -> Iterator[str]:
    """Name the arms whose trials are the same but for their records."""
    ours, theirs = (
        report.trials.assign(
            given=[json.dumps(one, sort_keys=True) for one in report.trials["settings"]]
        )[[*_TRIAL, "key"]]
        for report in (first, other)
    )
    both = ours.merge(theirs, on=_TRIAL, suffixes=("", "_other"))
    moved = both[both["key"] != both["key_other"]]
    for workload, rows in moved.groupby("workload", sort=False):
        arms = list(dict.fromkeys(map(str, rows["arm"])))
        yield f"{workload}: {counted(len(rows), 'trial')} of {listed(arms, _MOST)}"


def _only(first: Report, other: Report) -> Iterator[str]:
    """Name what the first report has and the other has not."""
    gone = [name for name in first.workloads if name not in other.workloads]
    if gone:
        yield f"workloads {listed(gone, _MOST)}"
    theirs = {arm for _, arm in other.arms}
    lost = [arm for arm in _arms(first) if arm not in theirs]
    if lost:
        yield f"arms {listed(lost, _MOST)}"


def _unfinished(report: Report) -> Iterator[str]:
    rows = report.progress[report.progress["role"] != "sweep"]
    sums = rows.groupby(["workload", "arm"], sort=False)[["planned", "done"]].sum()
    for (workload, arm), planned, done in sums.itertuples():
        if done < planned:
            yield f"{workload}, {arm}: {done} of {counted(planned, 'trial')}"


def _shared_arms(first: Report, other: Report) -> list[str]:
    theirs = set(_arms(other))
    return [name for name in _arms(first) if name in theirs]


def _arms(report: Report) -> Iterable[str]:
    return dict.fromkeys(arm for _, arm in report.arms)


def _spell(value: Any) -> str:
    return value if value is UNSET else shorten(json.dumps(value), _LONGEST)
