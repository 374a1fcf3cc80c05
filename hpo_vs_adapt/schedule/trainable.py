"""Ray's shell around a worker, and its share of a GPU."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ray import tune
from typing_extensions import override

from hpo_vs_adapt.schedule.board import Slots
from hpo_vs_adapt.schedule.worker import PackWorker
from hpo_vs_adapt.workloads.base import Arrays

__all__ = ["PackTrainable", "claim_gpu"]

_REPORT_SECONDS = 0.5  # a pack reports about so often, at evaluations only


class PackTrainable(tune.Trainable):
    """Ray's shell around a worker; one process trains one pack after another."""

    _worker: PackWorker
    _checkpoint_seconds: float
    _checkpointed: float

    @override
    def setup(  # type: ignore[override]  # `tune.with_parameters` gives the rest
        self,
        config: dict[str, Any],
        arrays: Mapping[str, Arrays],
        slots: Slots,
        checkpoint_seconds: float,
    ) -> None:
        self._checkpoint_seconds = checkpoint_seconds
        gpu = slots.gpu > 0 and claim_gpu(slots.gpu)
        self._worker = PackWorker(arrays, "cuda" if gpu else "cpu", slots.threads)
        self._begin(config)

    @override
    def step(self) -> dict[str, Any]:
        report = self._worker.work(_REPORT_SECONDS)
        now = time.monotonic()
        due = now - self._checkpointed > self._checkpoint_seconds
        if due:
            self._checkpointed = now
        done = self._worker.done or report.failure is not None
        return {"report": report, "done": done, "should_checkpoint": due and not done}

    @override
    def reset_config(self, new_config: dict[str, Any]) -> bool:
        # Without this, `save_checkpoint` and `load_checkpoint` Ray starts a fresh
        # process for every trial, though it was asked to reuse them.
        self._begin(new_config)
        return True

    @override
    def save_checkpoint(self, checkpoint_dir: str) -> None:
        self._worker.save(Path(checkpoint_dir))

    @override
    def load_checkpoint(self, checkpoint: dict[str, Any] | str | None) -> None:
        assert isinstance(checkpoint, str)  # what `save_checkpoint` was given
        self._worker.load(Path(checkpoint))

    def _begin(self, config: dict[str, Any]) -> None:
        self._worker.begin(config["job"])
        self._checkpointed = time.monotonic()


def claim_gpu(share: float) -> bool:
    """Whether there is a GPU behind Ray's number; keep to a share of its memory."""
    if not torch.cuda.is_available():
        return False  # a GPU that Ray was told of and that is not there
    if share < 1:
        torch.cuda.set_per_process_memory_fraction(share)
    return True
