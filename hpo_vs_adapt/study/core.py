"""The study itself: read from a file or a mapping, checked before anything runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hpo_vs_adapt.study.arms import build_arm
from hpo_vs_adapt.study.errors import Problems
from hpo_vs_adapt.study.parts import (
    DEFAULT_SEEDS,
    Arm,
    Resources,
    Storage,
    Sweep,
    WorkloadEntry,
)
from hpo_vs_adapt.study.portfolios import build_portfolio
from hpo_vs_adapt.study.published import (
    Planned,
    Published,
    build_published,
    stated_settings,
)
from hpo_vs_adapt.study.schema import StudySchema, given
from hpo_vs_adapt.study.shape import check_shape
from hpo_vs_adapt.study.smoke import merge_smoke
from hpo_vs_adapt.study.sweeps import Built, build_sweep, check_overlaps
from hpo_vs_adapt.study.text import mask_text, parse, read_text
from hpo_vs_adapt.study.workloads import build_workload
from hpo_vs_adapt.wording import Secrets, nearest

__all__ = ["Study"]


@dataclass(frozen=True, slots=True)
class Study:
    """Workloads × arms × seeds, and the sensitivity sweeps.

    Args:
        name: Names the folder of the report and the Optuna studies.
        seeds: Study seeds: of the trials of arms that are not tuned, and of the streams
            of those that are.
        workloads: What is trained.
        arms: The contenders.
        reference: Name of the arm that ratios are against.
        sensitivity: Sweeps, in no bill.
        storage: Where results are kept.
        resources: What a pack gets.
        source: The file it was read from, or None.
        text: The YAML as read; `shown_text` is for others.
        base: Folder that relative references of rules and workloads start at.
        published: Published values to hold the results against, or None.
        smoke: Whether this is the study's smoke run, not the study itself.
    """

    name: str
    seeds: tuple[int, ...]
    workloads: tuple[WorkloadEntry, ...]
    arms: tuple[Arm, ...]
    reference: str | None
    sensitivity: tuple[Sweep, ...]
    storage: Storage
    resources: Resources
    source: Path | None
    text: str = field(repr=False)
    base: Path = Path()
    published: Published | None = None
    smoke: bool = False

    @property
    def command(self) -> str | None:
        """The command line that runs it; None if it was not read from a file."""
        if self.source is None:
            return None
        smoke = ["--smoke"] if self.smoke else []
        return shlex.join(["hpo-vs-adapt", "run", _from_here(self.source), *smoke])

    @property
    def secrets(self) -> Secrets:
        """Passwords and keys of its storages, to be hidden in what is shown."""
        return Secrets(self.storage.records, self.storage.optuna)

    @property
    def shown_text(self) -> str:
        """The YAML as others may see it: passwords and keys are hidden."""
        return mask_text(self.text, self.secrets)

    @classmethod
    def from_yaml(cls, path: str | Path, *, smoke: bool = False) -> Study:
        """Return the study in a YAML file.

        Args:
            path: The file.
            smoke: Whether to return its smoke run instead.

        Raises:
            StudyError: With everything that is wrong, in one message.
        """
        path = Path(path)
        text = read_text(path)
        return _read(parse(text, path), path.parent, path, text, smoke)

    @classmethod
    def from_dict(
        cls,
        mapping: Mapping[str, Any],
        base: str | Path = Path(),
        *,
        smoke: bool = False,
    ) -> Study:
        """Return the study in a mapping with the keys of a study file.

        Args:
            mapping: What the file would hold.
            base: Folder that relative references of rules and workloads start at.
            smoke: Whether to return its smoke run instead.

        Raises:
            StudyError: With everything that is wrong, in one message.
        """
        return _read(mapping, Path(base), None, _as_text(mapping), smoke)


def _read(
    data: Mapping[str, Any], base: Path, source: Path | None, text: str, smoke: bool
) -> Study:
    schema = check_shape(data, source)
    if smoke or schema.smoke is not None:
        merged = merge_smoke(data, schema, source)
        less = check_shape(merged, source)  # mistakes show before a smoke run is made
        if smoke:
            return _build(less, base, source, _as_text(merged), smoke=True)
    return _build(schema, base, source, text, smoke=False)


def _from_here(file: Path) -> str:
    """Return a file's path as people write it: relative where it lies below."""
    here = Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)


def _as_text(mapping: Mapping[str, Any]) -> str:
    return yaml.safe_dump(_plain(mapping), sort_keys=False, allow_unicode=True)


def _build(
    schema: StudySchema, base: Path, source: Path | None, text: str, *, smoke: bool
) -> Study:
    problems = Problems()
    _check_lists(schema, problems)
    entries = [
        build_workload(one, f"workloads[{i}]", base, problems)
        for i, one in enumerate(schema.workloads)
    ]
    named = {
        one.name: build_arm(one, f"arms[{i}]", base, problems)
        for i, one in enumerate(schema.arms)
        if one.any_of is None
    }
    portfolios = dict.fromkeys(
        one.name for one in schema.arms if one.any_of is not None
    )
    labels = [None if entry is None else entry.name for entry in entries]
    sweeps = [
        build_sweep(one, f"sensitivity[{i}]", {**portfolios, **named}, labels, problems)
        for i, one in enumerate(schema.sensitivity or ())
    ]
    _check_swept(sweeps, portfolios, problems)
    check_overlaps(sweeps, problems)
    workloads = tuple(entry for entry in entries if entry is not None)
    arms = _arms(schema, named, problems)
    _check_distinct("workloads", "label", labels, problems)
    _check_distinct("arms", "name", [one.name for one in schema.arms], problems)
    reference = _reference(schema, problems)
    published = None
    if schema.published is not None:
        known = {name: pair and pair[1] for name, pair in named.items()}
        planned = Planned(
            [label for label in labels if label is not None],
            {**portfolios, **known},
            stated_settings(arms, sweeps),
            smoke,
        )
        published = build_published(schema.published, base, planned, problems)
    problems.check(source)
    return Study(
        name=schema.name,
        seeds=DEFAULT_SEEDS if schema.seeds is None else schema.seeds,
        workloads=workloads,
        arms=arms,
        reference=reference,
        sensitivity=tuple(sweeps),
        storage=Storage(**given(schema.storage)),
        resources=Resources(**given(schema.resources)),
        source=source,
        text=text,
        base=base,
        published=published,
        smoke=smoke,
    )


def _arms(
    schema: StudySchema, named: Mapping[str, Built | None], problems: Problems
) -> tuple[Arm, ...]:
    """Return the arms in the order of the file, portfolios among them."""
    schemas = {one.name: one for one in schema.arms}
    built = {name: pair and pair[0] for name, pair in named.items()}
    arms = [
        built[one.name]
        if one.any_of is None
        else build_portfolio(one, f"arms[{i}]", schemas, built, problems)
        for i, one in enumerate(schema.arms)
    ]
    return tuple(arm for arm in arms if arm is not None)


def _check_swept(
    sweeps: Sequence[Sweep], portfolios: Iterable[str], problems: Problems
) -> None:
    for i, sweep in enumerate(sweeps):
        for j, name in enumerate(sweep.arms):
            if name in portfolios:
                problems.found.append(
                    f"`sensitivity[{i}].arms[{j}]` must be an arm with a rule of its "
                    f"own; got {name!r}, which tries others."
                )


def _check_lists(schema: StudySchema, problems: Problems) -> None:
    for key in ("workloads", "arms"):
        if not getattr(schema, key):
            problems.found.append(f"`{key}` must have at least one entry; got none.")
    seeds = schema.seeds
    if seeds is not None and not seeds:
        problems.found.append("`seeds` must have at least one entry; got none.")
    for i, seed in enumerate(seeds or ()):
        if seed in (seeds or ())[:i]:
            problems.found.append(
                f"`seeds[{i}]` must differ from the others; got {seed} twice."
            )


def _check_distinct(
    key: str, name: str, names: Sequence[str | None], problems: Problems
) -> None:
    for i, one in enumerate(names):
        if one is not None and one in names[:i]:
            first = names.index(one)
            problems.found.append(
                f"`{key}[{i}].{name}` must differ from that of `{key}[{first}]`; "
                f"got {one!r} twice."
            )


def _reference(schema: StudySchema, problems: Problems) -> str | None:
    """Return the arm that ratios are against: the first tuned one, else the first."""
    names = [arm.name for arm in schema.arms]
    if schema.reference is not None:
        if schema.reference not in names:
            hint = nearest(schema.reference, sorted(names))
            problems.found.append(
                f"`reference` must be an arm's name; got {schema.reference!r}; {hint}"
            )
        return schema.reference
    tuned = [arm.name for arm in schema.arms if arm.tune is not None]
    return next(iter(tuned or names), None)


def _plain(value: Any) -> Any:
    """Return `value` with the lists and dicts that YAML can write."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, str) or not isinstance(value, Iterable):
        return value
    return [_plain(one) for one in value]
