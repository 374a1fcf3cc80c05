"""Training a pack: batches, gradients, updates, evaluations, lanes that end early."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from hpo_vs_adapt.ledger import FlopCount, Ledger, Purpose, Spending
from hpo_vs_adapt.optim import build_rule
from hpo_vs_adapt.optim.base import Rule, Run, State
from hpo_vs_adapt.seeds import derive, generator
from hpo_vs_adapt.trials import CURVE_COLUMNS, EndReason, TrialSpec
from hpo_vs_adapt.vectorised import Buffers, VectorisedModel
from hpo_vs_adapt.workloads.base import Dataset, Metric, Workload

__all__ = ["LOOP_VERSION", "DeviceData", "LaneResult", "Pack", "steps_per_epoch"]

LOOP_VERSION = 1
"""Part of every trial's identity; raise it when the loop gives other numbers."""

_LEAST_ROWS = 2  # a lone lane takes other kernels, with other bits, so it gets company


@dataclass(frozen=True, slots=True)
class DeviceData:
    """A data set as tensors on the device that trains.

    Args:
        x: Inputs, shape `(n, ...)`.
        y: Targets, shape `(n, ...)`.
        train: Indices of the training samples.
        validation: Inputs and targets on which targets are judged.
        test: Inputs and targets of the test.
    """

    x: Tensor
    y: Tensor
    train: Tensor
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]

    @classmethod
    def of(
        cls, data: Dataset, device: torch.device | str, dtype: torch.dtype
    ) -> DeviceData:
        """Copy a data set to a device, floating-point arrays in `dtype`."""
        x = torch.tensor(data.x).to(device=device, dtype=dtype)
        y = torch.tensor(data.y).to(device)
        if y.is_floating_point():
            y = y.to(dtype)
        train, validation, test = (
            torch.tensor(part).to(device)
            for part in (data.train, data.validation, data.test)
        )
        return cls(x, y, train, (x[validation], y[validation]), (x[test], y[test]))


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


def steps_per_epoch(samples: int, batch_size: int) -> int:
    """Return the steps of one pass; the last partial batch is dropped.

    Raises:
        ValueError: If there are fewer samples than one batch takes.
    """
    if batch_size > samples:
        raise ValueError(
            f"`batch_size` must be at most the number of training samples, {samples}; "
            f"got {batch_size}."
        )
    return samples // batch_size


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
    """

    def __init__(
        self,
        workload: Workload,
        rule: type[Rule],
        specs: Sequence[TrialSpec],
        data: DeviceData,
        flops: FlopCount,
    ) -> None:
        first = specs[0]
        self.specs = tuple(specs)
        self.metric: Metric = workload.metric
        self._rule_class = rule
        self._data = data
        self._flops = flops
        self._batch_size = first.batch_size
        self._evaluate_every = first.evaluate_every
        self._epoch_steps = steps_per_epoch(len(data.train), first.batch_size)
        self.steps = max(1, round(first.epochs * self._epoch_steps))
        self._model = VectorisedModel(workload, data.x.device, data.x.dtype)
        self.lanes = list(range(len(specs)))
        self._rows = list(self.lanes)
        self._w, self._buffers = self._model.initial([s.seed for s in specs])
        self._pad()
        self._rule = self._new_rule()
        self._state: State = self._rule.init(self._w, self._model.layout)
        self.step = 0
        self._oracle_calls = 0
        self._train_seconds = 0.0
        self._evaluation_seconds = 0.0
        self._loss_sum = torch.zeros_like(self._w[:, :1], dtype=torch.float64)
        self._since = 0
        self._orders: tuple[int, Tensor | None] = (-1, None)
        self._history: list[dict[str, Any]] = []

    @property
    def done(self) -> bool:
        """Whether every lane has ended."""
        return not self.lanes

    def advance(self) -> list[LaneResult]:
        """Train to the next evaluation, evaluate, and return the lanes that ended."""
        if self._history:  # the first evaluation is at step 0
            self._train(min(self._evaluate_every, self.steps - self.step))
        self._evaluate()
        ended = self._ended()
        results = [
            LaneResult(self.lanes[row], end, self._curve(row), self._ledger())
            for row, end in ended.items()
        ]
        if ended:
            self._keep([row for row in range(len(self.lanes)) if row not in ended])
        return results

    def latest(self) -> dict[int, tuple[int, float]]:
        """Return step and validation metric of each lane still training."""
        last = self._history[-1]
        return {
            lane: (self.step, float(last["validation_metric"][row]))
            for row, lane in enumerate(self.lanes)
        }

    def checkpoint(self) -> dict[str, Any]:
        """Return all that `restore` needs to go on bit for bit."""
        return {
            "step": self.step,
            "lanes": list(self.lanes),
            "w": self._w.cpu(),
            "state": {name: tensor.cpu() for name, tensor in self._state.items()},
            "buffers": {name: tensor.cpu() for name, tensor in self._buffers.items()},
            "oracle_calls": self._oracle_calls,
            "train_seconds": self._train_seconds,
            "evaluation_seconds": self._evaluation_seconds,
            "history": list(self._history),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from what `checkpoint` returned for the same trials."""
        device = self._data.x.device
        self.step = saved["step"]
        self.lanes = list(saved["lanes"])
        self._w = saved["w"].to(device)
        self._state = {n: tensor.to(device) for n, tensor in saved["state"].items()}
        self._buffers = {n: tensor.to(device) for n, tensor in saved["buffers"].items()}
        self._oracle_calls = saved["oracle_calls"]
        self._train_seconds = saved["train_seconds"]
        self._evaluation_seconds = saved["evaluation_seconds"]
        self._history = list(saved["history"])
        self._loss_sum = torch.zeros_like(self._w[:, :1], dtype=torch.float64)
        self._since = 0
        self._orders = (-1, None)
        self._fill_rows()
        self._rule = self._new_rule()

    def spent(self) -> Spending:
        """Return what each lane has spent on training until now, all purposes."""
        gradients = (self.step + self._oracle_calls) * self._batch_size
        return Spending(
            gradients, 0, self.step, gradients * self._flops.total, self._train_seconds
        )

    def time_steps(self, steps: int) -> float:
        """Take some steps and return the seconds they took."""
        before = self._train_seconds
        self._train(steps)
        return (self._train_seconds - before) * len(self.lanes)

    @property
    def vector_bytes(self) -> int:
        """Size of the lanes' weights."""
        return self._w.numel() * self._w.element_size()

    def _train(self, steps: int) -> None:
        started = time.perf_counter()
        for _ in range(steps):
            x, y = self._batch()
            loss, g = self._model.gradient(
                self._w, self._buffers, x, y, self._noise_seed()
            )
            self._w, self._state = self._rule.update(
                self._w, g, self._state, self._oracle(x, y)
            )
            self._loss_sum += loss
            self._since += 1
            self.step += 1
        self._wait()
        self._train_seconds += (time.perf_counter() - started) / len(self.lanes)

    def _batch(self) -> tuple[Tensor, Tensor]:
        epoch, place = divmod(self.step, self._epoch_steps)
        if self._orders[0] != epoch:
            self._orders = (epoch, self._epoch_order(epoch))
        order = self._orders[1]
        assert order is not None
        rows = order[:, place * self._batch_size : (place + 1) * self._batch_size]
        return self._data.x[rows], self._data.y[rows]

    def _epoch_order(self, epoch: int) -> Tensor:
        """Return the samples of one epoch in order, shape `(rows, n)`."""
        n = len(self._data.train)
        seeds = [self.specs[lane].seed for lane in self._rows]
        made = {
            seed: torch.randperm(n, generator=generator(seed, f"batches/{epoch}"))
            for seed in dict.fromkeys(seeds)
        }
        order = torch.stack([made[seed] for seed in seeds])
        return self._data.train[order.to(self._data.train.device)]

    def _noise_seed(self) -> int | None:
        if not self._model.random:
            return None
        return derive(self.specs[self._rows[0]].seed, "dropout", self.step)

    def _oracle(self, x: Tensor, y: Tensor) -> Any:
        """Return the loss of this minibatch as a function of the weights, charged."""

        def evaluate_again(w: Tensor) -> tuple[Tensor, Tensor]:
            self._oracle_calls += 1
            buffers: Buffers = {n: t.clone() for n, t in self._buffers.items()}
            return self._model.gradient(w, buffers, x, y, self._noise_seed())

        return evaluate_again

    def _evaluate(self) -> None:
        started = time.perf_counter()
        losses, scores = self._model.evaluate(
            self._w, self._buffers, *self._data.validation
        )
        _, test_scores = self._model.evaluate(self._w, self._buffers, *self._data.test)
        row: dict[str, Any] = {
            "step": self.step,
            "oracle_calls": self._oracle_calls,
            "train_loss": self._loss_sum / self._since if self._since else None,
            "validation_loss": losses,
            "validation_metric": scores,
            "test_metric": test_scores,
            **self._rule.observe(self._state),
        }
        row["finite"] = torch.isfinite(self._w).all(-1)
        row = {
            name: value.detach().cpu().reshape(-1).numpy().copy()
            if isinstance(value, Tensor)
            else value
            for name, value in row.items()
        }
        self._wait()
        self._evaluation_seconds += (time.perf_counter() - started) / len(self.lanes)
        row["seconds"] = self._train_seconds
        self._history.append(row)
        self._loss_sum.zero_()
        self._since = 0

    def _ended(self) -> dict[int, EndReason]:
        """Return the rows that end here, and why."""
        last = self._history[-1]
        ended = {}
        for row, lane in enumerate(self.lanes):
            stop_at = self.specs[lane].stop_at
            losses = [last["validation_loss"][row]]
            if last["train_loss"] is not None:
                losses.append(last["train_loss"][row])
            if not (np.isfinite(losses).all() and last["finite"][row]):
                ended[row] = EndReason.DIVERGED
            elif stop_at is not None and self.metric.meets(
                last["validation_metric"][row], stop_at
            ):
                ended[row] = EndReason.TARGET
            elif self.step >= self.steps:
                ended[row] = EndReason.BUDGET
        return ended

    def _keep(self, rows: list[int]) -> None:
        """Drop all lanes but those in `rows`; those dropped cost nothing more."""
        self.lanes = [self.lanes[row] for row in rows]
        if not rows:
            return
        for entry in self._history:
            for name, value in entry.items():
                if isinstance(value, np.ndarray):
                    entry[name] = value[rows]
        kept = torch.tensor(rows + rows[-1:] * (_LEAST_ROWS - len(rows)))
        kept = kept.to(self._w.device)
        self._w = self._w.index_select(0, kept)
        self._state = {n: t.index_select(0, kept) for n, t in self._state.items()}
        self._buffers = {n: t.index_select(0, kept) for n, t in self._buffers.items()}
        self._loss_sum = self._loss_sum.index_select(0, kept)
        self._orders = (-1, None)
        self._fill_rows()
        self._rule = self._new_rule()

    def _pad(self) -> None:
        """Give a lone lane a twin, whose results nobody reads."""
        missing = _LEAST_ROWS - len(self._rows)
        if missing > 0:
            self._w = torch.cat([self._w, self._w[-1:].repeat(missing, 1)])
            self._buffers = {
                name: torch.cat([tensor] + [tensor[-1:]] * missing)
                for name, tensor in self._buffers.items()
            }
        self._fill_rows()

    def _fill_rows(self) -> None:
        self._rows = self.lanes + self.lanes[-1:] * (_LEAST_ROWS - len(self.lanes))

    def _new_rule(self) -> Rule:
        return build_rule(
            self._rule_class,
            [dict(self.specs[lane].settings) for lane in self._rows],
            Run(self.steps, self._epoch_steps),
            self._w.dtype,
            self._w.device,
        )

    def _curve(self, row: int) -> pd.DataFrame:
        """Return one lane's curve."""
        known = set(CURVE_COLUMNS) | {"oracle_calls", "finite"}
        extras = [name for name in self._history[0] if name not in known]
        rows = []
        for entry in self._history:
            values = {
                name: math.nan
                if value is None
                else (float(value[row]) if isinstance(value, np.ndarray) else value)
                for name, value in entry.items()
            }
            samples = entry["step"] * self._batch_size
            gradients = samples + entry["oracle_calls"] * self._batch_size
            values |= {
                "samples": samples,
                "sample_gradients": gradients,
                "forward_samples": 0,
                "cost": float(gradients),
                "flops": gradients * self._flops.total,
            }
            values.setdefault("momentum", math.nan)
            if not (entry["finite"][row] and math.isfinite(values["validation_loss"])):
                # The largest of NaN outputs is no prediction.
                values |= {"validation_metric": math.nan, "test_metric": math.nan}
            rows.append(values)
        return pd.DataFrame(rows, columns=[*CURVE_COLUMNS, *extras])

    def _ledger(self) -> Ledger:
        batch, flops = self._batch_size, self._flops
        samples = self.step * batch
        again = self._oracle_calls * batch
        looked_at = len(self._history) * (
            len(self._data.validation[1]) + len(self._data.test[1])
        )
        ledger = Ledger({}, flops.forward_share).add(
            Purpose.TRAINING,
            Spending(samples, 0, self.step, samples * flops.total, self._train_seconds),
        )
        if again:
            ledger = ledger.add(
                Purpose.SECOND_GRADIENT, Spending(again, 0, 0, again * flops.total)
            )
        return ledger.add(
            Purpose.EVALUATION,
            Spending(
                0, looked_at, 0, looked_at * flops.forward, self._evaluation_seconds
            ),
        )

    def _wait(self) -> None:
        if self._w.is_cuda:
            torch.cuda.synchronize(self._w.device)
