"""Training a pack: gradients, updates, evaluations, lanes that end early."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from hpo_vs_adapt.engines.packs.batches import (
    Batches,
    DeviceData,
    set_aside,
    steps_per_epoch,
)
from hpo_vs_adapt.engines.packs.curves import History
from hpo_vs_adapt.engines.packs.meter import Meter
from hpo_vs_adapt.engines.packs.minibatch import Minibatch
from hpo_vs_adapt.engines.packs.vectorised import Buffers, VectorisedModel
from hpo_vs_adapt.metrics.basics.direction import Direction
from hpo_vs_adapt.metrics.basics.hits import first_hit
from hpo_vs_adapt.optim import build_rule
from hpo_vs_adapt.optim.base import Oracle, Rule, Run, State
from hpo_vs_adapt.records.ledger import FlopCount, Ledger, Purpose, Spending
from hpo_vs_adapt.records.trials import EndReason, TrialSpec
from hpo_vs_adapt.seeds import derive
from hpo_vs_adapt.workloads.base import Workload

__all__ = ["LOOP_VERSION", "LaneResult", "Pack"]

LOOP_VERSION = 2
"""Part of every trial's identity; raise it when the loop gives other numbers."""

_REFRESHING_BATCHES = 50

_LEAST_ROWS = 2  # a lone lane takes other kernels, with other bits, so it gets company


@dataclass(frozen=True, slots=True)
class LaneResult:
    """How one lane of a pack ended.

    Args:
        lane: Its number in the pack, from 0.
        end: Why it ended.
        curve: One row an evaluation, columns `CURVE_COLUMNS` and the rule's own.
        ledger: What it spent.
    """

    lane: int
    end: EndReason
    curve: pd.DataFrame
    ledger: Ledger


class Pack:
    """Trials that train together on one device, one lane each.

    All lanes share workload, batch size, budget, rule and the rule's shared settings;
    they differ in numbers such as lr, and in their seeds.

    Args:
        workload: What they train.
        rule: How they are updated.
        specs: One trial a lane.
        data: The data set, on the device.
        flops: FLOPs of one sample.

    Attributes:
        lanes: Numbers of the lanes still training.
        steps: Steps in the whole budget.
    """

    _loss_sum: Tensor
    _loss_steps: int
    _held_out: Batches  # only for rules that set samples aside

    def __init__(
        self,
        workload: Workload,
        rule: type[Rule],
        specs: Sequence[TrialSpec],
        data: DeviceData,
        flops: FlopCount,
    ) -> None:
        first = specs[0]
        epoch = steps_per_epoch(len(data.train), first.batch_size)
        self.steps = max(1, round(first.epochs * epoch))
        self.lanes = list(range(len(specs)))
        self._specs = tuple(specs)
        self._direction = Direction(workload.metric.mode)
        self._data = data
        self._evaluate_every = first.evaluate_every
        self._run = Run(self.steps, epoch)
        self._rule_class = rule
        self._model = VectorisedModel(workload, data.x.device, data.x.dtype)
        self._history = History()
        self._w, self._buffers = self._model.initial([s.seed for s in self._in_rows()])
        self._meter = Meter(first.batch_size, flops, len(self._w), self._w.device)
        self._begin_rows()
        self._state: State = self._rule.init(self._w, self._model.layout)

    @property
    def done(self) -> bool:
        """Whether every lane has ended."""
        return not self.lanes

    @property
    def resumable(self) -> bool:
        """Whether `checkpoint` can be asked for."""
        return self._rule_class.resumable

    @property
    def vector_bytes(self) -> int:
        """Size of the lanes' weights."""
        return self._w.numel() * self._w.element_size()

    def advance(self) -> list[LaneResult]:
        """Train to the next evaluation, evaluate, and return the lanes that ended."""
        if len(self._history):  # the first evaluation is at step 0
            self._train(min(self._evaluate_every, self.steps - self._meter.steps))
        self._evaluate()
        ended = self._ended()
        results = [
            LaneResult(
                self.lanes[row], end, self._history.curve(row), self._meter.ledger(row)
            )
            for row, end in ended.items()
        ]
        if ended:
            self._keep([row for row in range(len(self.lanes)) if row not in ended])
        return results

    def latest(self) -> dict[int, tuple[int, float]]:
        """Return step and validation metric of each lane still training."""
        if not len(self._history):
            return {}
        return {
            lane: (self._meter.steps, self._history.last("validation_metric", row))
            for row, lane in enumerate(self.lanes)
        }

    def spent(self) -> dict[int, Spending]:
        """Return what each lane still training has spent on training until now."""
        return {lane: self._meter.spent(row) for row, lane in enumerate(self.lanes)}

    def time_steps(self, steps: int) -> float:
        """Take some steps and return the seconds they took."""
        before = self._meter.training_seconds
        self._train(steps)
        return (self._meter.training_seconds - before) * len(self.lanes)

    def checkpoint(self) -> dict[str, Any]:
        """Return all that `restore` needs to go on bit for bit after an evaluation."""
        return {
            "lanes": list(self.lanes),
            "meter": self._meter.state(),
            "history": self._history.state(),
            "w": self._w.cpu(),
            "state": {n: t.cpu() for n, t in self._rule.save(self._state).items()},
            "buffers": {name: tensor.cpu() for name, tensor in self._buffers.items()},
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from what `checkpoint` returned for the same trials."""
        device = self._data.x.device
        self.lanes = list(saved["lanes"])
        self._meter.resume(saved["meter"])
        self._history = History(saved["history"])
        self._w = saved["w"].to(device)
        self._buffers = {n: tensor.to(device) for n, tensor in saved["buffers"].items()}
        self._begin_rows()
        state = {n: tensor.to(device) for n, tensor in saved["state"].items()}
        self._state = self._rule.resume(self._w, state)

    def _train(self, steps: int) -> None:
        started = time.perf_counter()
        for _ in range(steps):
            x, y = self._batches.at(self._meter.steps)
            noise = self._noise_seed()
            loss, g = self._model.gradient(self._w, self._buffers, x, y, noise)
            oracle = self._oracle(x, y, noise, loss)
            self._w, self._state = self._rule.update(self._w, g, self._state, oracle)
            self._w = self._model.clamp(self._w)
            self._loss_sum += loss
            self._meter.steps += 1
        self._loss_steps += steps
        self._meter.training_seconds += self._seconds_since(started)

    def _noise_seed(self) -> int | None:
        if not self._model.random:
            return None
        return derive(self._in_rows()[0].seed, "dropout", self._meter.steps)

    def _oracle(self, x: Tensor, y: Tensor, noise: int | None, loss: Tensor) -> Oracle:
        """Return the step's minibatch as the rule may evaluate it again, charged."""
        return Minibatch(
            self._model,
            self._buffers,
            x,
            y,
            noise,
            loss,
            self._meter,
            lambda: self._held_out.at(self._meter.steps),
        )

    def _evaluate(self) -> None:
        w = self._rule.weights(self._w, self._state)
        buffers = self._buffers if w is self._w else self._refreshed(w)
        started = time.perf_counter()
        validation, test = self._data.validation, self._data.test
        # The company of a lone lane is that lane again.
        rows, lanes = len(w), len(self.lanes)
        w, buffers = w[:lanes], {name: own[:lanes] for name, own in buffers.items()}
        losses, scores = self._model.evaluate(w, buffers, *validation)
        _, test_scores = self._model.evaluate(w, buffers, *test)
        self._history.add(
            self._meter.shared_counts(),
            {
                **self._meter.lane_counts(),
                "train_loss": self._loss_sum / self._loss_steps,  # NaN at step 0
                "validation_loss": losses.expand(rows),
                "validation_metric": scores.expand(rows),
                "test_metric": test_scores.expand(rows),
                "finite": torch.isfinite(self._w).all(-1),
                **self._rule.observe(self._state),
            },
        )
        self._loss_sum.zero_()
        self._loss_steps = 0
        self._meter.evaluated += len(validation[1]) + len(test[1])
        self._meter.evaluation_seconds += self._seconds_since(started)

    def _refreshed(self, w: Tensor) -> Buffers:
        """Return BatchNorm's running statistics for other weights, charged.

        The statistics move on from the present ones over some batches in training mode
        (Defazio et al., The road less scheduled, 2024, take 50).
        """
        buffers = {name: tensor.clone() for name, tensor in self._buffers.items()}
        if not self._model.has_running_statistics or not self._meter.steps:
            return buffers
        started = time.perf_counter()
        for batch in range(min(_REFRESHING_BATCHES, self._run.steps_per_epoch)):
            x, y = self._refreshing.at(batch)
            self._model.losses(w, buffers, x, y, self._noise_seed())
            self._meter.charge(Purpose.REFRESH, x.shape[1])
        self._meter.training_seconds += self._seconds_since(started)
        return buffers

    def _ended(self) -> dict[int, EndReason]:
        """Return the rows that end here, and why."""
        ended = {}
        for row, lane in enumerate(self.lanes):
            if not self._history.finite(row):
                ended[row] = EndReason.DIVERGED
            elif self._hits(row, self._specs[lane].stop_at):
                ended[row] = EndReason.TARGET
            elif self._meter.steps >= self.steps:
                ended[row] = EndReason.BUDGET
        return ended

    def _hits(self, row: int, target: float | None) -> bool:
        """Whether a row's trial, which stops at a target, has met it."""
        latest = self._history.last("validation_metric", row)
        if target is None or not self._direction.meets(latest, target):
            return False
        values = self._history.values("validation_metric", row)
        return first_hit(values, target, self._direction.mode) is not None

    def _keep(self, rows: list[int]) -> None:
        """Drop all lanes but those in `rows`; those dropped cost nothing more."""
        self.lanes = [self.lanes[row] for row in rows]
        if self.done:
            return
        self._history.keep(rows)
        kept = torch.tensor(rows + rows[-1:] * (_LEAST_ROWS - len(rows)))
        kept = kept.to(self._w.device)
        saved = self._rule.save(self._state)
        self._meter.keep(kept)
        self._w = self._w.index_select(0, kept)
        self._buffers = {n: t.index_select(0, kept) for n, t in self._buffers.items()}
        self._begin_rows()
        state = {n: t.index_select(0, kept) for n, t in saved.items()}
        self._state = self._rule.resume(self._w, state)

    def _in_rows(self) -> list[TrialSpec]:
        """Return the trial of each row; a lone lane has a twin whose numbers go unread.

        The twin is the second row of two: see `_LEAST_ROWS`.
        """
        lanes = self.lanes + self.lanes[-1:] * (_LEAST_ROWS - len(self.lanes))
        return [self._specs[lane] for lane in lanes]

    def _begin_rows(self) -> None:
        """Build what belongs to the present rows and holds nothing that was learnt."""
        specs = self._in_rows()
        self._rule = build_rule(
            self._rule_class,
            [dict(spec.settings) for spec in specs],
            self._run,
            self._w.dtype,
            self._w.device,
        )
        share = self._rule_class.held_out_share(dict(specs[0].settings))
        training, held_out = set_aside(self._data, share)
        seeds = [spec.seed for spec in specs]
        size = self._meter.batch_size
        self._batches = Batches(training, size, seeds)
        self._refreshing = Batches(training, size, seeds)
        if share:
            few = min(size, len(held_out.train))
            self._held_out = Batches(held_out, few, seeds)
        self._loss_sum = torch.zeros_like(self._w[:, :1], dtype=torch.float64)
        self._loss_steps = 0

    def _seconds_since(self, started: float) -> float:
        """Return the time that passed, shared by the lanes."""
        if self._w.is_cuda:
            torch.cuda.synchronize(self._w.device)
        return (time.perf_counter() - started) / len(self.lanes)
