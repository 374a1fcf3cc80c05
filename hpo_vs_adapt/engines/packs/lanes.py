"""How many lanes a pack should have: a short measurement, within the memory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import torch
from torch import Tensor

from hpo_vs_adapt.engines.packs.batches import DeviceData
from hpo_vs_adapt.engines.packs.pack import Pack
from hpo_vs_adapt.optim.base import Rule
from hpo_vs_adapt.records.ledger import FlopCount
from hpo_vs_adapt.records.trials import TrialSpec
from hpo_vs_adapt.workloads.base import Workload

__all__ = ["MOST_LANES", "measure_lanes"]

MOST_LANES = 256
"""No pack is larger, however fast: its results would come too late."""

_STEPS = 5  # timed for each size, after one to warm up; the quickest counts
_GAIN = 0.95  # a larger pack must take less than this time a lane
_PATIENCE_SECONDS = 1.0  # for the whole measurement, kept to within one size
_VECTOR_COPIES = 8  # weights, gradient, state and their temporaries, generously


def measure_lanes(
    workload: Workload,
    rule: type[Rule],
    spec: TrialSpec,
    data: DeviceData,
    flops: FlopCount,
    memory: float,
) -> int:
    """Return the number of lanes at which a lane's step is cheapest, a power of two.

    Args:
        workload: What is trained.
        rule: How it is updated.
        spec: A trial like those of the pack; only its time is looked at.
        data: The data set, on the device.
        flops: FLOPs of one sample.
        memory: Bytes that a pack may use.
    """
    Pack(workload, rule, [spec], data, flops).time_steps(1)  # loads kernels
    started = time.perf_counter()
    lanes = 2  # as quick as one, which is padded to two
    best, best_time = lanes, float("inf")
    while lanes <= MOST_LANES:
        pack = Pack(workload, rule, [spec] * lanes, data, flops)
        with _saved_bytes() as saved:
            pack.time_steps(1)
        a_lane = min(pack.time_steps(1) for _ in range(_STEPS)) / lanes
        if a_lane < _GAIN * best_time:
            best, best_time = lanes, a_lane
        elif lanes > 2 * best:  # one size without a gain may be a disturbance
            break
        needed = saved[0] + _VECTOR_COPIES * pack.vector_bytes
        if 2 * needed > memory or time.perf_counter() - started > _PATIENCE_SECONDS:
            break
        lanes *= 2
    return best


@contextlib.contextmanager
def _saved_bytes() -> Iterator[list[int]]:
    """Count the bytes that a gradient keeps for its backward pass."""
    total = [0]

    def count(tensor: Tensor) -> Tensor:
        total[0] += tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        yield total
