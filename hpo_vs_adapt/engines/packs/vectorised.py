"""A workload's model for many lanes at once: weights as rows of one matrix.

The forward pass is vectorised over the lanes (`torch.func.vmap`) and the sum of the
lanes' losses is differentiated, which gives every lane its own gradient: no lane's loss
depends on another's weights. That is quicker than vectorising the gradient, and a lane
with NaN disturbs nobody.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.modules.batchnorm import _NormBase

from hpo_vs_adapt.optim.base import Layout
from hpo_vs_adapt.seeds import derive
from hpo_vs_adapt.workloads.base import Workload

__all__ = ["Buffers", "VectorisedModel"]

Buffers = dict[str, Tensor]
"""A model's buffers, every tensor with the lanes first."""

_EVALUATION_CHUNK = 4096  # samples a forward pass, to bound the memory of evaluations
_CPU_CHUNK = 512  # of one lane: what a core's cache holds


class VectorisedModel:
    """The model of a workload for any number of lanes.

    Args:
        workload: Gives model, loss and metric.
        device: Where the lanes are trained.
        dtype: Floating-point type of weights and inputs.
    """

    def __init__(
        self, workload: Workload, device: torch.device | str, dtype: torch.dtype
    ) -> None:
        self.workload = workload
        self.device = torch.device(device)
        self.dtype = dtype
        module = self._new_module(0)
        named = list(module.named_parameters())
        self.layout = Layout(
            tuple(name for name, _ in named), tuple(tuple(p.shape) for _, p in named)
        )
        self._train_mode = module.train()
        self._eval_mode = copy.deepcopy(module).eval()
        self.random = workload.random_training or draws_random_numbers(module)
        self.has_running_statistics = has_running_statistics(module)

    def initial(self, seeds: Sequence[int]) -> tuple[Tensor, Buffers]:
        """Return weights `(n, P)` and buffers of new lanes, a function of the seeds."""
        made = {seed: self._new_module(seed) for seed in dict.fromkeys(seeds)}
        w = torch.stack(
            [
                torch.cat([p.detach().reshape(-1) for p in made[s].parameters()])
                for s in seeds
            ]
        )
        names = [name for name, _ in self._train_mode.named_buffers()]
        buffers = {
            name: torch.stack([made[s].get_buffer(name).detach() for s in seeds])
            for name in names
        }
        return w, buffers

    def gradient(
        self,
        w: Tensor,
        buffers: Buffers,
        x: Tensor,
        y: Tensor,
        noise: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return each lane's minibatch loss `(n, 1)` and gradient `(n, P)`.

        BatchNorm's running statistics in `buffers` are renewed in place.

        Args:
            w: Weights, shape `(n, P)`.
            buffers: The lanes' buffers.
            x: Inputs, shape `(n, b, ...)`.
            y: Targets, shape `(n, b, ...)`.
            noise: Seed of the dropout masks, the same for all lanes; needed where the
                model draws random numbers.
        """
        w = w.detach().requires_grad_()
        with torch.enable_grad():
            losses = self._losses(w, buffers, x, y, noise)
            (g,) = torch.autograd.grad(losses.sum(), w)
        return losses.detach().unsqueeze(-1), self._clipped(g)

    @torch.no_grad()
    def losses(
        self,
        w: Tensor,
        buffers: Buffers,
        x: Tensor,
        y: Tensor,
        noise: int | None = None,
    ) -> Tensor:
        """Return each lane's minibatch loss `(n, 1)` as in training, no gradient.

        Arguments and what happens to `buffers` are those of `gradient`.
        """
        return self._losses(w, buffers, x, y, noise).unsqueeze(-1)

    def clamp(self, w: Tensor) -> Tensor:
        """Return weights `(n, P)` moved into the workload's box, in place."""
        if self.workload.box is None:
            return w
        low, high = (
            torch.tensor(b, dtype=w.dtype, device=w.device) for b in self.workload.box
        )
        return w.clamp_(low, high)

    def _losses(
        self, w: Tensor, buffers: Buffers, x: Tensor, y: Tensor, noise: int | None
    ) -> Tensor:
        if not self.workload.vectorise:
            return self._losses_one_by_one(w, buffers, x, y, noise)
        randomness = "same" if self.random else "error"
        with self._noise(noise):
            return vmap(self._loss, randomness=randomness)(w, buffers, x, y)

    def _clipped(self, g: Tensor) -> Tensor:
        """Return gradients `(n, P)`, clipped as `torch.nn.utils.clip_grad_norm_`."""
        most = self.workload.clip_norm
        if most is None:
            return g
        norm = torch.linalg.vector_norm(g, dim=-1, keepdim=True)
        return g.mul_((most / (norm + 1e-6)).clamp(max=1))

    def _losses_one_by_one(
        self, w: Tensor, buffers: Buffers, x: Tensor, y: Tensor, noise: int | None
    ) -> Tensor:
        losses = []
        for lane in range(len(w)):
            with self._noise(noise):  # again for each lane: all have the same masks
                losses.append(
                    self._loss(w[lane], _row(buffers, lane), x[lane], y[lane])
                )
        return torch.stack(losses)

    @torch.no_grad()
    def evaluate(
        self, w: Tensor, buffers: Buffers, x: Tensor, y: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return each lane's mean loss and metric `(n,)` on one set.

        Args:
            w: Weights, shape `(n, P)`.
            buffers: The lanes' buffers, only read.
            x: Inputs that all lanes share, shape `(m, ...)`.
            y: Targets, shape `(m, ...)`.
        """
        if self.workload.vectorise and w.is_cuda:
            forward = vmap(self._outputs, in_dims=(0, 0, None))
            chunks = torch.split(x, _EVALUATION_CHUNK)
            outputs = torch.cat([forward(w, buffers, chunk) for chunk in chunks], 1)
            losses = vmap(self.workload.loss, in_dims=(0, None))(outputs, y)
            scores = vmap(self.workload.score, in_dims=(0, None))(outputs, y)
            return losses, scores
        # On a CPU one lane after the other: with BatchNorm up to 5 times as fast.
        chunks = torch.split(x, _EVALUATION_CHUNK if w.is_cuda else _CPU_CHUNK)
        rows = [
            torch.cat(
                [self._outputs(w[i], _row(buffers, i), chunk) for chunk in chunks]
            )
            for i in range(len(w))
        ]
        return (
            torch.stack([self.workload.loss(row, y) for row in rows]),
            torch.stack([self.workload.score(row, y) for row in rows]),
        )

    def _loss(
        self, w: Tensor, buffers: Mapping[str, Tensor], x: Tensor, y: Tensor
    ) -> Tensor:
        outputs = functional_call(self._train_mode, {**self._named(w), **buffers}, (x,))
        return self.workload.loss(outputs, y)

    def _outputs(self, w: Tensor, buffers: Mapping[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(self._eval_mode, {**self._named(w), **buffers}, (x,))

    def _named(self, w: Tensor) -> dict[str, Tensor]:
        parts = torch.split(w, self.layout.sizes, -1)
        return {
            name: part.reshape(shape)
            for name, part, shape in zip(
                self.layout.names, parts, self.layout.shapes, strict=True
            )
        }

    @contextlib.contextmanager
    def _noise(self, seed: int | None) -> Iterator[None]:
        """Seed torch's global generator, which dropout reads, and put it back."""
        if not self.random:
            yield
            return
        assert seed is not None
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            yield

    def _new_module(self, seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "weights"))
            return self.workload.model().to(self.device, self.dtype)


def draws_random_numbers(module: nn.Module) -> bool:
    """Whether a module has dropout anywhere, so that training needs seeded masks."""
    dropouts = (nn.modules.dropout._DropoutNd, nn.RReLU)
    return any(isinstance(part, dropouts) for part in module.modules())


def has_running_statistics(module: nn.Module) -> bool:
    """Whether a module keeps running statistics of its batches."""
    return any(
        isinstance(part, _NormBase) and part.track_running_stats
        for part in module.modules()
    )


def _row(buffers: Buffers, lane: int) -> Buffers:
    return {name: tensor[lane] for name, tensor in buffers.items()}
