"""The parts of a study, with every default of the study file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hpo_vs_adapt.study.calibrations import Calibration
from hpo_vs_adapt.wording import mask_uri

if TYPE_CHECKING:
    from hpo_vs_adapt.records.trials import Value
    from hpo_vs_adapt.workloads.base import Metric

__all__ = [
    "DEFAULT_SEEDS",
    "Arm",
    "Resources",
    "Space",
    "Storage",
    "Sweep",
    "Tune",
    "WorkloadEntry",
]

DEFAULT_SEEDS = (0, 1, 2)
"""Study seeds where the file names none."""


@dataclass(frozen=True, slots=True)
class WorkloadEntry:
    """A workload as the study uses it; what the file leaves out is the workload's own.

    Args:
        name: Label in the study.
        reference: A known name, ``package.module:Name`` or ``path/to/file.py:Name``.
        target: Validation metric to reach.
        epochs: Budget in passes over the training data.
        batch_size: Samples a step.
        evaluate_every: Steps between two evaluations, or None.
        evaluate_epochs: Passes between two evaluations, or None; both None: at least 20
            evaluations a trial, at most one a step.
        split: ``default`` or ``paper``.
        data: Where the workload's files are, or None for its own places.
        precision: ``float32`` or ``float64``.
        metric: What the target is about.
    """

    name: str
    reference: str
    target: float
    epochs: float
    batch_size: int
    evaluate_every: int | None
    evaluate_epochs: float | None
    split: str
    data: str | None
    precision: str
    metric: Metric


@dataclass(frozen=True, slots=True)
class Space:
    """What a tuner may choose for one setting.

    Args:
        kind: ``float``, ``int`` or ``categorical``.
        low: Least number; None for `categorical`.
        high: Largest number; None for `categorical`.
        log: Whether numbers are drawn on a log scale.
        step: Distance of neighbouring numbers, or None for all.
        choices: Values of `categorical`.
    """

    kind: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    step: float | None = None
    choices: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Tune:
    """How the hyperparameters of an arm are chosen.

    Args:
        by: ``grid``, ``random``, ``optuna`` or ``portfolio``.
        grid: Setting to its values, for `grid`.
        space: Setting to its range, for `random` and `optuna`; the rule's own if the
            study names none.
        sampler: Optuna's sampler by name, for `optuna`.
        sampler_args: Its arguments.
        trials: Trials a stream, for `random` and `optuna`.
        batch: Trials asked for at a time, for `optuna`; part of the stream's identity.
        repeats: Streams; None: one for each study seed.
        training_seed: ``stream``: all trials of a stream train with its seed, so that
            arms are paired; ``fresh``: every trial has its own.
        retrain: Runs of the winner with seeds that no trial has seen.
        objective: What is told to the tuner: ``metric``, the best validation metric, or
            ``cost``, the spending at the first crossing of the target.
        space_from: Where the grid or space comes from, in words.
        space_trials: Trials that were trained to choose it; None: unknown.
    """

    by: str
    grid: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    space: Mapping[str, Space] = field(default_factory=dict)
    sampler: str | None = None
    sampler_args: Mapping[str, Any] = field(default_factory=dict)
    trials: int | None = None
    batch: int = 1
    repeats: int | None = None
    training_seed: str = "stream"
    retrain: int = 1
    objective: str = "metric"
    space_from: str = "unknown"
    space_trials: int | None = None


@dataclass(frozen=True, slots=True)
class Arm:
    """One contender: a rule with its settings, and how the others are chosen.

    Args:
        name: Label in the study.
        rule: A known name, ``package.module:Name`` or ``path/to/file.py:Name``.
        settings: The rule's settings as the study fixes them, without defaults.
        tune: How the others are chosen, or None.
        stop_at_target: Whether training ends at the first crossing of the target.
        adapts: What the rule adapts by itself: ``nothing``, ``rate``, ``momentum`` or
            ``schedule``.
        members: Arms that are tried in turn, for a portfolio, which has no rule of its
            own.
        calibration: Where the settings come from that were chosen once for all
            workloads, and what that cost; or None.
        held_out: Share of the training samples that the rule sets aside to look at.
    """

    name: str
    rule: str
    settings: Mapping[str, Value]
    tune: Tune | None = None
    stop_at_target: bool = False
    adapts: str = "nothing"
    members: tuple[Arm, ...] = ()
    calibration: Calibration | None = None
    held_out: float = 0.0

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that its trials train with."""
        return tuple(one.rule for one in self.members) or (self.rule,)

    @property
    def kind(self) -> str:
        """``tuned``, ``adaptive`` or ``fixed``."""
        if self.tune is not None:
            return "tuned"
        return "fixed" if self.adapts == "nothing" else "adaptive"

    @property
    def by(self) -> str:
        """``grid``, ``random``, ``optuna``, ``portfolio``; ``single`` if not tuned."""
        return "single" if self.tune is None else self.tune.by


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sensitivity sweep: the product of `vary`, with every study seed.

    Args:
        arms: Names of the arms whose rules are swept, without their `tune`.
        vary: Setting, or ``batch_size``, to its values.
        workloads: Labels of the workloads that it runs on.
    """

    arms: tuple[str, ...]
    vary: Mapping[str, tuple[Value, ...]]
    workloads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Storage:
    """Where results are kept; relative paths start at the current directory.

    Args:
        records: Path or URI of the record store.
        optuna: URL of the Optuna studies.
    """

    records: str = "runs"
    optuna: str = "sqlite:///runs/optuna.db"

    def __repr__(self) -> str:
        shown = (mask_uri(self.records), mask_uri(self.optuna))
        return "Storage(records={!r}, optuna={!r})".format(*shown)


@dataclass(frozen=True, slots=True)
class Resources:
    """What a pack gets.

    Args:
        lanes: Trials trained together; None: by a short measurement.
        gpu: GPUs a pack, fractions allowed; None: one device shared, if there is one.
        cpu: CPU cores a pack.
        retries: How often a pack whose worker was lost is taken up again.
        packs: Packs that run at the same time at most; None: as many as fit.
    """

    lanes: int | None = None
    gpu: float | None = None
    cpu: float = 1.0
    retries: int = 2
    packs: int | None = None
