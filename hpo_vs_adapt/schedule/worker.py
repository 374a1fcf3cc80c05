"""What a worker process does: train one pack after another, report, checkpoint."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pandas as pd
import torch

from hpo_vs_adapt.engines.packs.batches import DeviceData
from hpo_vs_adapt.engines.packs.lanes import measure_lanes
from hpo_vs_adapt.engines.packs.pack import LaneResult, Pack
from hpo_vs_adapt.optim.base import Rule
from hpo_vs_adapt.plan.packs import PackJob
from hpo_vs_adapt.plugins.problem import ReferenceProblem
from hpo_vs_adapt.plugins.references import as_rule
from hpo_vs_adapt.records.ledger import Ledger, Spending
from hpo_vs_adapt.records.trials import CURVE_COLUMNS, EndReason, TrialRecord, TrialSpec
from hpo_vs_adapt.workloads.base import Arrays, Workload

__all__ = [
    "Cause",
    "Failure",
    "PackReport",
    "PackWorker",
    "crash_record",
    "measure_job",
]

_CHECKPOINT = "pack.pt"


class Cause(Enum):
    """What has ended a pack before its time."""

    CRASH = "crash"  # of the model, the rule or the data
    MEMORY = "memory"
    IMPORT = "import"  # the worker lacks a module, which says nothing of the trials


@dataclass(frozen=True, slots=True)
class Failure:
    """What has ended a pack.

    Args:
        cause: Of which kind.
        text: What was raised, in one line.
    """

    cause: Cause
    text: str

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Return what an error in a worker has to be taken for."""
        text = f"{type(error).__name__}: {error}".splitlines()[0]
        if _is_out_of_memory(error):
            return cls(Cause.MEMORY, text)
        if isinstance(error, ReferenceProblem | ImportError):
            return cls(Cause.IMPORT, text)
        return cls(Cause.CRASH, text)


@dataclass(frozen=True, slots=True, repr=False)
class PackReport:
    """What a worker tells of its pack.

    Args:
        finished: Records of the lanes that have ended since the last report.
        latest: Step and validation metric of every lane still training, by key.
        spent: What each of those lanes has spent until now, by key.
        resumed: What they had spent when this process took the pack up, by key.
        attempt: A name for this process's go at the pack.
        failure: What ended the pack, or None.
        process: Process id.
    """

    finished: tuple[TrialRecord, ...]
    latest: Mapping[str, tuple[int, float]]
    spent: Mapping[str, Spending]
    resumed: Mapping[str, Spending]
    attempt: str
    failure: Failure | None
    process: int

    def __repr__(self) -> str:
        # Ray formats every result for its log, shown or not; tables take their time.
        return f"PackReport({len(self.finished)} finished, {len(self.latest)} training)"


class PackWorker:
    """Trains packs on one device.

    Args:
        arrays: Samples of the study's workloads, by name.
        device: Where to train.
        threads: Threads of the CPU to train with.
    """

    def __init__(self, arrays: Mapping[str, Arrays], device: str, threads: int) -> None:
        torch.set_num_threads(threads)
        self._arrays = arrays
        self._device = device
        self._data: dict[tuple[object, ...], DeviceData] = {}

    def begin(self, job: PackJob) -> None:
        """Take up a pack; what the worker did before does not matter."""
        self._job = job
        self._pack: Pack | None = None
        self._attempt = uuid.uuid4().hex
        self._resumed: dict[str, Spending] = {}

    def work(self, seconds: float) -> PackReport:
        """Train for about so long, at least to the next evaluation, and report.

        What the user's model, rule or data raise ends the pack, not the worker: the
        report names it, and its trials can be tried apart.
        """
        finished: list[TrialRecord] = []
        failure = None
        until = time.monotonic() + seconds
        try:
            pack = self._pack = self._pack or self._load()
            while not pack.done and time.monotonic() < until:
                finished += [self._record(result) for result in pack.advance()]
        except Exception as error:  # noqa: BLE001 - the border to other people's code
            failure = Failure.of(error)
        return self._report(finished, failure)

    @property
    def done(self) -> bool:
        """Whether the pack has nothing left to train."""
        return self._pack is not None and self._pack.done

    def save(self, directory: Path) -> None:
        """Write a checkpoint of the pack."""
        if self._pack is not None and self._pack.resumable:
            torch.save(self._pack.checkpoint(), directory / _CHECKPOINT)

    def load(self, directory: Path) -> None:
        """Go on from a checkpoint of the pack."""
        file = directory / _CHECKPOINT
        if file.exists():
            self._pack = self._load()
            self._pack.restore(torch.load(file, weights_only=False))
            self._resumed = self._spent()

    def _load(self) -> Pack:
        workload, rule = _load_classes(self._job)
        first = self._job.specs[0]
        data = self._device_data(workload, first)
        return Pack(workload, rule, self._job.specs, data, self._job.flops)

    def _device_data(self, workload: Workload, spec: TrialSpec) -> DeviceData:
        seed = spec.seed if workload.splits_by_seed(spec.split) else 0
        place = (self._job.arrays, spec.split, seed, spec.precision)
        if place not in self._data:
            self._data.clear()  # one data set at a time, for the memory of the device
            self._data[place] = _on_device(
                self._arrays[self._job.arrays], workload, spec, self._device
            )
        return self._data[place]

    def _spent(self) -> dict[str, Spending]:
        """Return what the trials still training have spent, by key."""
        spent = self._pack.spent() if self._pack is not None else {}
        return {self._job.keys[lane]: amount for lane, amount in spent.items()}

    def _record(self, result: LaneResult) -> TrialRecord:
        return TrialRecord(
            key=self._job.keys[result.lane],
            spec=self._job.specs[result.lane],
            end=result.end,
            curve=result.curve,
            ledger=result.ledger,
            lanes=len(self._job.specs),
        )

    def _report(
        self, finished: list[TrialRecord], failure: Failure | None
    ) -> PackReport:
        pack = self._pack
        latest = pack.latest() if pack is not None and not pack.done else {}
        return PackReport(
            finished=tuple(finished),
            latest={self._job.keys[lane]: at for lane, at in latest.items()},
            spent=self._spent(),
            resumed=self._resumed,
            attempt=self._attempt,
            failure=failure,
            process=os.getpid(),
        )


def measure_job(
    job: PackJob,
    arrays: Mapping[str, Arrays],
    device: str,
    threads: int,
    memory: float,
) -> int:
    """Return how many lanes a pack of trials like the job's first should have.

    Args:
        job: A trial to measure with.
        arrays: Samples of the study's workloads, by name.
        device: Where the packs will train.
        threads: Threads of the CPU they will train with.
        memory: Bytes that a pack may use; on a GPU, the share of its memory.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        workload, rule = _load_classes(job)
        spec = job.specs[0]
        data = _on_device(arrays[job.arrays], workload, spec, device)
        return measure_lanes(workload, rule, spec, data, job.flops, memory)
    finally:
        torch.set_num_threads(before)


def crash_record(
    key: str, spec: TrialSpec, error: str, forward_share: float
) -> TrialRecord:
    """Return the record of a trial that crashed: no curve, only what it raised."""
    return TrialRecord(
        key=key,
        spec=spec,
        end=EndReason.CRASHED,
        curve=pd.DataFrame({name: [] for name in CURVE_COLUMNS}, dtype=float),
        ledger=Ledger({}, forward_share),
        error=error,
    )


def _load_classes(job: PackJob) -> tuple[Workload, type[Rule]]:
    workload, rule = job.workload.load(), as_rule(job.rule.load())
    assert isinstance(workload, type)
    assert issubclass(workload, Workload)
    assert isinstance(rule, type)
    assert issubclass(rule, Rule)
    return workload(), rule


def _on_device(
    arrays: Arrays, workload: Workload, spec: TrialSpec, device: str
) -> DeviceData:
    dataset = workload.split_arrays(arrays, spec.split, spec.seed)
    return DeviceData.of(dataset, device, getattr(torch, spec.precision))


def _is_out_of_memory(error: Exception) -> bool:
    # The CPU allocator has no exception of its own.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
    )
