"""A model's parameters as one vector: they live in it and hand it their gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from hpo_vs_adapt.optim.base import Layout

__all__ = ["ParameterVector", "refuse_odd_parameters"]


def refuse_odd_parameters(params: Sequence[Tensor]) -> None:
    """Refuse parameters that do not make one vector of real numbers.

    Raises:
        ValueError: For complex and integer parameters, and for several devices.
    """
    for p in params:
        if not p.is_floating_point():
            raise ValueError(
                f"`params` must be real floating-point tensors; got one of {p.dtype}."
            )
    devices = sorted({str(p.device) for p in params})
    if len(devices) > 1:
        raise ValueError(
            f"`params` of one group must be on one device; got {', '.join(devices)}. "
            "Make a parameter group for each device."
        )


class ParameterVector:
    """Parameters in one vector `w`, shape `(P,)`, and their gradients in another, `g`.

    The parameters' memory is moved into `w`, so that a step on `w` is a step on them;
    they keep their shapes and strides. Parameters of less than float32's precision
    stay where they are, and `w` has their float32 master.

    Args:
        params: Parameters, floating-point and on one device.
        names: Their names.
        masters: What `w` had for parameters of low precision, or None.
    """

    def __init__(
        self,
        params: Sequence[Tensor],
        names: Sequence[str],
        masters: Sequence[Tensor | None],
    ) -> None:
        self.params = list(params)
        self.layout = Layout(tuple(names), tuple(tuple(p.shape) for p in params))
        # Gaps, as in a slice of a larger tensor, are not kept; orders of axes are.
        self._strides = [torch.empty_like(p, device="meta").stride() for p in params]
        self._places = self.layout.slices
        self._dtypes = [p.dtype for p in params]
        dtype = reduce(torch.promote_types, self._dtypes, torch.float32)
        size = sum(self.layout.sizes)
        self.w = torch.empty(size, dtype=dtype, device=params[0].device)
        self.g = torch.empty_like(self.w)
        self._second: Tensor | None = None
        self._second_slots: list[Tensor] = []
        self._homes, self._slots = self.pieces(self.w), self.pieces(self.g)
        pairs = list(zip(self.params, self._homes, strict=True))
        self._resident = [pair for pair in pairs if pair[0].dtype == dtype]
        self._low = [pair for pair in pairs if pair[0].dtype != dtype]
        self._versions = [-1] * len(self._low)
        for p, home, master in zip(params, self._homes, masters, strict=True):
            home.copy_(p if master is None else master)
        self.settle()

    def holds(self, params: Sequence[Tensor]) -> bool:
        """Return whether these are its parameters, in their old type and place."""
        return len(params) == len(self.params) and all(
            p is own and p.dtype == dtype and p.device == self.w.device
            for p, own, dtype in zip(params, self.params, self._dtypes, strict=True)
        )

    def pieces(self, vector: Tensor) -> list[Tensor]:
        """Return a vector `(P,)` as views with the parameters' shapes and strides."""
        begin = vector.storage_offset()
        return [
            vector.as_strided(shape, stride, begin + place.start)
            for shape, stride, place in zip(
                self.layout.shapes, self._strides, self._places, strict=True
            )
        ]

    def piece(self, i: int, part: Tensor) -> Tensor:
        """Return what tensor `i` has of a vector, `(size,)`, in the parameter's shape.

        A scalar `(1,)` of a larger tensor stays as it is.
        """
        if part.numel() != self.params[i].numel():
            return part
        shape, stride = self.layout.shapes[i], self._strides[i]
        return part.as_strided(shape, stride, part.storage_offset())

    def masters(self) -> list[tuple[Tensor, Tensor]]:
        """Return the parameters of low precision with what `w` has for them."""
        return self._low

    def settle(self) -> None:
        """Take in parameters that were given other memory, or new values."""
        for p, home in self._resident:
            if p.data_ptr() != home.data_ptr():
                home.copy_(p)
                p.data = home
        for i, (p, home) in enumerate(self._low):
            if p._version != self._versions[i]:
                # Digits below the parameter's precision stay where it is unchanged.
                home.copy_(torch.where(p == home.to(p.dtype), home, p))
                self._versions[i] = p._version

    def collect(self) -> None:
        """Copy the parameters' gradients into `g`."""
        grads = [p.grad for p in self.params if p.grad is not None]
        torch._foreach_copy_(self._slots, grads)

    def collect_second(self) -> None:
        """Copy the parameters' gradients into `second`; where there is none, 0."""
        if not self._second_slots:
            self._second = torch.empty_like(self.w)
            self._second_slots = self.pieces(self._second)
        for p, slot in zip(self.params, self._second_slots, strict=True):
            if p.grad is None:
                slot.zero_()
            else:
                slot.copy_(p.grad)

    @property
    def second(self) -> Tensor:
        """The gradients that `collect_second` took in last, shape `(P,)`."""
        assert self._second is not None
        return self._second

    def publish(self) -> None:
        """Make a step on `w` one on the parameters.

        Those that live in it are marked as changed, so that autograd refuses to go back
        through them; the others take its values, rounded.
        """
        for p, _ in self._resident:
            increment_version(p)
        for i, (p, home) in enumerate(self._low):
            p.copy_(home)
            self._versions[i] = p._version

    @contextmanager
    def moved(self, vector: Tensor) -> Iterator[None]:
        """Give the parameters the values of a vector `(P,)` for a while."""
        before = [p.data for p in self.params]
        try:
            for p, piece in zip(self.params, self.pieces(vector), strict=True):
                p.data = piece.to(p.dtype)
            yield
        finally:
            for p, data in zip(self.params, before, strict=True):
                p.data = data
            self._versions = [p._version for p, _ in self._low]
