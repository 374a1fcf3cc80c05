"""Counting while a pack trains: what all its lanes spend, and what each spends more."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hpo_vs_adapt.records.ledger import FlopCount, Ledger, Purpose, Spending

__all__ = ["Meter"]

_GRADIENTS = (Purpose.SECOND_GRADIENT, Purpose.HELD_OUT)
_FORWARDS = (Purpose.LINE_SEARCH, Purpose.REFRESH)


class Meter:
    """Counts what the lanes of a pack spend.

    Steps and evaluations are the same for all lanes. What a rule asks for beyond them
    is counted lane by lane, on the device, and read when a ledger is asked for.

    Args:
        batch_size: Samples a step.
        flops: FLOPs of one sample.
        lanes: Rows of the pack.
        device: Where the pack trains.

    Attributes:
        steps: Optimizer steps taken.
        evaluated: Samples looked at in evaluations.
        training_seconds: Of steps, amortised over the lanes.
        evaluation_seconds: Of evaluations, likewise.
    """

    def __init__(
        self,
        batch_size: int,
        flops: FlopCount,
        lanes: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        self.batch_size = batch_size
        self.flops = flops
        self.steps = 0
        self.evaluated = 0
        self.training_seconds = 0.0
        self.evaluation_seconds = 0.0
        self._extra = {
            purpose: torch.zeros(lanes, dtype=torch.int64, device=device)
            for purpose in (*_GRADIENTS, *_FORWARDS)
        }

    @property
    def samples(self) -> int:
        """Training samples seen by the steps."""
        return self.steps * self.batch_size

    def charge(
        self, purpose: Purpose, samples: int, lanes: Tensor | int | None = None
    ) -> None:
        """Charge passes beyond those of the steps.

        Args:
            purpose: What they were for: it says whether they had a backward pass.
            samples: Samples a lane.
            lanes: The row charged; or true and false, shape `(lanes, 1)`; None: all.
        """
        counted = self._extra[purpose]
        if isinstance(lanes, Tensor):
            counted += samples * lanes.reshape(-1)
        elif lanes is None:
            counted += samples
        else:
            counted[lanes] += samples

    def ledger(self, row: int) -> Ledger:
        """Return what a lane has spent, by purpose."""
        return self._ledgers()[row]

    def spent(self, row: int) -> Spending:
        """Return all that a lane has spent on training, extra passes included."""
        return self.ledger(row).charged()

    def shared_counts(self) -> dict[str, float]:
        """Return what a curve says of the spending that lanes have in common."""
        return {
            "step": self.steps,
            "samples": self.samples,
            "seconds": self.training_seconds,
        }

    def lane_counts(self) -> dict[str, Tensor]:
        """Return what a curve says of each lane's own spending, shape `(lanes,)`."""
        ledgers = self._ledgers()
        spent = [ledger.charged() for ledger in ledgers]
        columns = {
            "sample_gradients": [one.sample_gradients for one in spent],
            "forward_samples": [one.forward_samples for one in spent],
            "cost": [ledger.cost for ledger in ledgers],
            "flops": [one.flops for one in spent],
        }
        return {
            name: torch.tensor(values, dtype=torch.float64)
            for name, values in columns.items()
        }

    def keep(self, rows: Tensor) -> None:
        """Forget all lanes but those in `rows`, which are numbered anew."""
        self._extra = {p: n.index_select(0, rows) for p, n in self._extra.items()}

    def state(self) -> dict[str, Any]:
        """Return the counters, to go on from."""
        return {
            "steps": self.steps,
            "evaluated": self.evaluated,
            "training_seconds": self.training_seconds,
            "evaluation_seconds": self.evaluation_seconds,
            "extra": {str(p): n.cpu().clone() for p, n in self._extra.items()},
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.steps, self.evaluated = state["steps"], state["evaluated"]
        self.training_seconds = state["training_seconds"]
        self.evaluation_seconds = state["evaluation_seconds"]
        devices = {p: n.device for p, n in self._extra.items()}
        self._extra = {
            p: state["extra"][str(p)].clone().to(devices[p]) for p in self._extra
        }

    def _ledgers(self) -> list[Ledger]:
        extra = {p: n.tolist() for p, n in self._extra.items()}
        lanes = len(next(iter(extra.values())))
        return [
            self._ledger_of({p: n[row] for p, n in extra.items()})
            for row in range(lanes)
        ]

    def _ledger_of(self, extra: dict[Purpose, int]) -> Ledger:
        total, forward = self.flops.total, self.flops.forward
        amounts = {
            Purpose.TRAINING: Spending(
                sample_gradients=self.samples,
                steps=self.steps,
                flops=self.samples * total,
                seconds=self.training_seconds,
            ),
            Purpose.EVALUATION: Spending(
                forward_samples=self.evaluated,
                flops=self.evaluated * forward,
                seconds=self.evaluation_seconds,
            ),
        }
        for purpose in _GRADIENTS:
            n = extra[purpose]
            amounts[purpose] = Spending(sample_gradients=n, flops=n * total)
        for purpose in _FORWARDS:
            n = extra[purpose]
            amounts[purpose] = Spending(forward_samples=n, flops=n * forward)
        spent = {p: a for p, a in amounts.items() if a != Spending()}
        return Ledger(spent, self.flops.forward_share)
