"""Packs: which trials may train together, and what a worker needs to train them."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpo_vs_adapt.optim.base import Rule
from hpo_vs_adapt.plugins.references import Shipment
from hpo_vs_adapt.records.ledger import FlopCount
from hpo_vs_adapt.records.trials import TrialSpec, Value

if TYPE_CHECKING:
    from hpo_vs_adapt.plan.prepared import PreparedWorkload

__all__ = ["PackJob", "furthest", "pack_group"]


@dataclass(frozen=True, slots=True, repr=False)
class PackJob:
    """Trials that one worker trains together, one lane each.

    Args:
        number: Of the pack in its run, from 0.
        specs: One trial a lane.
        keys: Their identities, in the same order.
        workload: What they train, for a worker that may be on another machine.
        rule: How they are updated, likewise.
        arrays: Name under which the worker finds the workload's samples.
        flops: FLOPs of one sample.
        group: What its trials have in common (`pack_group`).
    """

    number: int
    specs: tuple[TrialSpec, ...]
    keys: tuple[str, ...]
    workload: Shipment
    rule: Shipment
    arrays: str
    flops: FlopCount
    group: Hashable

    def __repr__(self) -> str:
        # Ray writes it into folder names.
        return f"pack-{self.number}"


def pack_group(
    spec: TrialSpec, rule: type[Rule], prepared: PreparedWorkload
) -> Hashable:
    """Return what trials must have in common to be lanes of one pack.

    That is all of the specification but the seed and the numbers that lanes may differ
    in; and the seed too, where lanes share dropout masks or where it chooses the data.
    """
    return (
        prepared.entry.name,
        spec.rule,
        spec.batch_size,
        spec.epochs,
        spec.evaluate_every,
        spec.split,
        spec.precision,
        _shared(dict(spec.settings), rule),
        spec.seed if prepared.apart_by_seed else None,
    )


def furthest(specs: Sequence[TrialSpec]) -> TrialSpec:
    """Return the trial that serves all who ask for it: the one that runs longest."""
    stops = {spec.stop_at for spec in specs}
    stop_at = stops.pop() if len(stops) == 1 else None
    return dataclasses.replace(specs[0], stop_at=stop_at)


def _shared(settings: Mapping[str, Value], rule: type[Rule]) -> Hashable:
    """Return the settings on which the lanes of a pack agree."""
    common = []
    for name, setting in rule.settings.items():
        value = settings.get(name, setting.default)
        common.append((name, None if setting.per_lane(value) else (value,)))
    return tuple(common)
