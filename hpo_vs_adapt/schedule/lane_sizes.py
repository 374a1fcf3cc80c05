"""How many lanes packs may have, measured where they train."""

from __future__ import annotations

from collections.abc import Mapping

import ray
import torch

from hpo_vs_adapt.plan.packs import PackJob
from hpo_vs_adapt.plan.plan import Plan
from hpo_vs_adapt.plan.tracks import Request
from hpo_vs_adapt.schedule.board import Slots
from hpo_vs_adapt.schedule.trainable import claim_gpu
from hpo_vs_adapt.schedule.worker import measure_job
from hpo_vs_adapt.study import Resources
from hpo_vs_adapt.workloads.base import Arrays

__all__ = ["LaneSizes"]


class LaneSizes:
    """Largest packs, by workload and batch size, each measured once."""

    def __init__(
        self,
        plan: Plan,
        resources: Resources,
        slots: Slots,
        arrays: Mapping[str, Arrays],
    ) -> None:
        self._plan = plan
        self._resources = resources
        self._slots = slots
        self._arrays = arrays
        self._known: dict[tuple[object, ...], int] = {}

    def most(self, request: Request) -> int:
        """Return the largest pack for trials like this one."""
        if self._resources.lanes is not None:
            return self._resources.lanes
        spec = request.spec
        # The rule matters little beside the gradient.
        kind = (request.track.prepared.entry.name, spec.batch_size)
        if kind not in self._known:
            self._known[kind] = self._measure(request)
        return self._known[kind]

    def _measure(self, request: Request) -> int:
        job = self._plan.sample_job(request)
        slots = self._slots
        threads, memory = slots.threads, slots.memory
        if not slots.gpu:
            return measure_job(job, self._arrays, "cpu", threads, memory)
        measure = ray.remote(num_cpus=slots.cpu, num_gpus=slots.gpu)(_measure_remotely)
        return ray.get(measure.remote(job, self._arrays, slots))


def _measure_remotely(job: PackJob, arrays: Mapping[str, Arrays], slots: Slots) -> int:
    if not claim_gpu(slots.gpu):
        return measure_job(job, arrays, "cpu", slots.threads, slots.memory)
    total = torch.cuda.get_device_properties(0).total_memory
    return measure_job(job, arrays, "cuda", slots.threads, slots.gpu * total)
