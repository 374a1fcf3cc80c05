"""FLOPs of one sample, counted once on the eager model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from hpo_vs_adapt.records.ledger import FlopCount
from hpo_vs_adapt.wording import Problem

if TYPE_CHECKING:
    from hpo_vs_adapt.workloads.base import Workload

__all__ = ["FlopProblem", "count_flops"]

# Modules that multiply matrices. The counter knows their operators on most devices, but
# skips an operator that it does not know without a word (CPU LSTM and CPU attention).
_MULTIPLYING = (
    nn.Linear,
    nn.Bilinear,
    nn.modules.conv._ConvNd,
    nn.MultiheadAttention,
    nn.RNNBase,
    nn.RNNCellBase,
)


class FlopProblem(Problem, ValueError):
    """A module whose FLOPs cannot be counted, so that no bill would be right."""


def count_flops(workload: Workload, x: Tensor, y: Tensor) -> FlopCount:
    """Return the FLOPs of one sample in a batch `x`, `y`.

    They are what the workload says, or else those of its matrix products and
    convolutions.

    Args:
        workload: Gives the model and the loss.
        x: A batch of inputs, shape `(b, ...)`.
        y: Its targets, shape `(b, ...)`.

    Raises:
        FlopProblem: If a linear, convolution, attention or recurrent module contributes
            no FLOPs, or nothing in the model does.
    """
    if workload.flops is not None:
        return FlopCount(*workload.flops)
    with torch.random.fork_rng(devices=[]):
        model = workload.model().to(x.device, x.dtype)
        forward = _forward_flops(model, x)
        with FlopCounterMode(display=False) as counter:
            loss = workload.loss(model(x), y)
            torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    total = counter.get_total_flops()
    return FlopCount(forward / len(x), total / len(x))


def _forward_flops(model: nn.Module, x: Tensor) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(x)
    counted = counter.get_flop_counts()
    top = type(model).__name__
    for name, module in model.named_modules():
        path = f"{top}.{name}" if name else top
        inside = model.get_submodule(name.rpartition(".")[0])
        if isinstance(inside, nn.MultiheadAttention) and inside is not module:
            continue  # its projections run within it, not as modules
        if isinstance(module, _MULTIPLYING) and not sum(counted.get(path, {}).values()):
            raise FlopProblem(
                f"the FLOPs of module `{name or top}` ({type(module).__name__}) "
                "must be countable; PyTorch's counter finds 0 on this device. Register "
                "a formula with torch.utils.flop_counter.register_flop_formula, or "
                "write the module with matrix products."
            )
    flops = counter.get_total_flops()
    if not flops:
        raise FlopProblem(
            f"the model `{top}` must do some matrix products or convolutions; "
            "PyTorch's counter finds 0 FLOPs."
        )
    return flops
