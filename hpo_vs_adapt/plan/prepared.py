"""A workload of a study, ready to be trained: its object, data and FLOPs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from hpo_vs_adapt.engines.packs.batches import steps_per_epoch
from hpo_vs_adapt.engines.packs.flops import count_flops
from hpo_vs_adapt.engines.packs.vectorised import draws_random_numbers
from hpo_vs_adapt.plugins.identity import source_hash
from hpo_vs_adapt.plugins.problem import Calling
from hpo_vs_adapt.plugins.references import find_workload, portable
from hpo_vs_adapt.records.ledger import FlopCount
from hpo_vs_adapt.records.trials import Settings, TrialSpec
from hpo_vs_adapt.study import WorkloadEntry
from hpo_vs_adapt.wording import Problem
from hpo_vs_adapt.workloads.base import Arrays, Dataset, Workload
from hpo_vs_adapt.workloads.checks import check_model
from hpo_vs_adapt.workloads.samples import DataError

__all__ = ["DataProblem", "PreparedWorkload"]

_LEAST_EVALUATIONS = 20  # a trial, where the study names no interval


class DataProblem(Problem, ValueError):
    """The data of a workload cannot be had, or do not fit what the study asks."""


class PreparedWorkload:
    """A workload of a study with what its trials share.

    Args:
        entry: What the study says of it.
        base: Folder that a file reference is relative to.
    """

    def __init__(self, entry: WorkloadEntry, base: Path) -> None:
        self.entry = entry
        self.base = base
        self.workload: Workload = find_workload(entry.reference, base)
        self.source = source_hash(type(self.workload))
        self._datasets: dict[int, Dataset] = {}
        self._flops: dict[int, FlopCount] = {}

    @cached_property
    def arrays(self) -> Arrays:
        """The samples as the source has them.

        Raises:
            DataProblem: If they cannot be had.
            ReferenceProblem: If a workload of one's own raises something else.
        """
        place = Path(self.entry.data) if self.entry.data else None
        with self._calling("reading its data"):
            return self.workload.read(place)

    @cached_property
    def apart_by_seed(self) -> bool:
        """Whether lanes of one pack must share the training seed."""
        dropout = draws_random_numbers(self.checked_model())
        return (
            self.workload.splits_by_seed(self.entry.split)
            or self.workload.random_training
            or dropout
        )

    def checked_model(self) -> nn.Module:
        """Return a new model that a study can train.

        Raises:
            ModelProblem: If parameters of it are frozen.
            ReferenceProblem: If a workload of one's own raises something else.
        """
        with self._calling("making its model"):
            return check_model(self.workload)

    def dataset(self, seed: int) -> Dataset:
        """Return the data that trials with this training seed see."""
        which = seed if self.workload.splits_by_seed(self.entry.split) else 0
        if which not in self._datasets:
            arrays = self.arrays
            with self._calling("splitting its data"):
                self._datasets[which] = self.workload.split_arrays(
                    arrays, self.entry.split, which
                )
        return self._datasets[which]

    def flops(self, batch_size: int) -> FlopCount:
        """Return the FLOPs of one sample in a batch of this size."""
        if batch_size not in self._flops:
            data = self.dataset(0)
            rows = data.train[:batch_size]
            x, y = torch.tensor(data.x[rows]), torch.tensor(data.y[rows])
            with self._calling("running its model on a batch"):
                self._flops[batch_size] = count_flops(self.workload, x, y)
        return self._flops[batch_size]

    def epoch_steps(self, batch_size: int) -> int:
        """Return the steps of one pass over the training data.

        Raises:
            DataProblem: If the training data are fewer than a batch.
        """
        try:
            return steps_per_epoch(len(self.dataset(0).train), batch_size)
        except ValueError as error:
            raise DataProblem(str(error)) from error

    def budget(self, batch_size: int) -> int:
        """Return the sample gradients of a whole trial without extra gradients."""
        epoch = self.epoch_steps(batch_size)
        return max(1, round(self.entry.epochs * epoch)) * batch_size

    def spec(
        self,
        rule: str,
        settings: Settings,
        batch_size: int | None,
        seed: int,
        stop_at: float | None,
    ) -> TrialSpec:
        """Return the trial that trains this workload."""
        size = batch_size or self.entry.batch_size
        return TrialSpec(
            workload=portable(self.entry.reference),
            rule=rule,
            settings=settings,
            batch_size=size,
            seed=seed,
            epochs=float(self.entry.epochs),
            evaluate_every=self._interval(size),
            split=self.entry.split,
            precision=self.entry.precision,
            stop_at=stop_at,
        )

    def _interval(self, batch_size: int) -> int:
        """Return the steps between two evaluations."""
        epoch = self.epoch_steps(batch_size)
        if self.entry.evaluate_every is not None:
            return self.entry.evaluate_every
        if self.entry.evaluate_epochs is not None:
            return max(1, round(self.entry.evaluate_epochs * epoch))
        return max(1, round(self.entry.epochs * epoch) // _LEAST_EVALUATIONS)

    @contextmanager
    def _calling(self, doing: str) -> Iterator[None]:
        """Tell what a user can mend, data and code of one's own, from our mistakes."""
        name = self.entry.reference
        with Calling(name, doing) if ":" in name else nullcontext():
            try:
                yield
            except DataError as error:
                raise DataProblem(str(error)) from error
            except OSError as error:
                raise DataProblem(f"`{name}`: {doing} failed: {error}.") from error
