"""The `lr` of a parameter group: what torch's schedulers write, times what was learnt.

A scheduler computes its next value from the present one, from a copy that it took at
its start, or from numbers alone. Each `Rate` therefore carries, beside the value that
it shows, the value that it would have if the rule had learnt nothing. Arithmetic is
done on both; writing to the rate in use takes the latter. So schedulers schedule the
initial rate, as they do for an optimizer that learns none, and the rate is what they
made of it times what the rule made of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, Self

import torch
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau
from typing_extensions import override

__all__ = ["Rate", "bare", "scheduled"]

_IN_PLACE = {"__iadd__", "__isub__", "__imul__", "__itruediv__", "__ipow__"}


class Rate(Tensor):
    """A rate, shape `()`, that knows what it would be had nothing been learnt."""

    scheduled: Tensor
    """The rate that a rule would have which learns nothing, shape `()`."""

    _written: Callable[[], None] | None = None

    @classmethod
    def of(
        cls, shown: Tensor, scheduled: Tensor, written: Callable[[], None] | None = None
    ) -> Self:
        """Return a rate that shares the memory of `shown`.

        Args:
            shown: Its value, shape `()`.
            scheduled: What it would be had nothing been learnt, shape `()`.
            written: For the rate in use: called after a write to `scheduled`, to bring
                `shown` up to date.
        """
        rate = shown.as_subclass(cls)
        rate.scheduled, rate._written = scheduled, written
        return rate

    @override
    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        with torch._C.DisableTorchFunctionSubclass():
            rate = args[0] if args else None
            if _writes(func) and isinstance(rate, Rate):
                return _write(rate, func, args[1:], kwargs)
            plain = {name: bare(value) for name, value in kwargs.items()}
            shown = func(*map(bare, args), **plain)
            if not _is_number(shown):
                return shown
            numbers = {name: scheduled(value) for name, value in kwargs.items()}
            return cls.of(shown, func(*map(scheduled, args), **numbers))

    @override
    def __deepcopy__(self, memo: dict[int, Any]) -> Rate:
        return Rate.of(bare(self).clone(), self.scheduled.clone())

    @override
    def __reduce_ex__(self, protocol: Any) -> Any:
        # Schedulers save rates. A plain tensor is loaded by `torch.load` as it is, and
        # counts as written afresh, which is what `scheduled` is.
        return self.scheduled.__reduce_ex__(protocol)  # type: ignore[no-untyped-call]


def bare(rate: Any) -> Any:
    """Return a rate's value as a plain tensor on the same memory; others as given."""
    return rate.as_subclass(Tensor) if isinstance(rate, Rate) else rate


def scheduled(rate: Any) -> Any:
    """Return what a rate would be had nothing been learnt; others as given."""
    return rate.scheduled if isinstance(rate, Rate) else rate


def _writes(func: Callable[..., Any]) -> bool:
    name = func.__name__
    return name in _IN_PLACE or (name.endswith("_") and not name.endswith("__"))


def _is_number(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dim() == 0 and value.is_floating_point()


def _write(
    rate: Rate, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Rate:
    if rate._written is None:
        func(bare(rate), *map(bare, args), **kwargs)
        func(rate.scheduled, *map(scheduled, args), **kwargs)
        return rate
    if func.__name__ == "fill_" and _is_reduced_on_plateau():
        rate.scheduled.mul_(args[0] / bare(rate))
    else:
        func(rate.scheduled, *map(scheduled, args), **kwargs)
    rate._written()
    return rate


def _is_reduced_on_plateau() -> bool:
    """Return whether the caller is torch's `ReduceLROnPlateau`.

    It alone takes the present rate as a Python float, which carries no mark, and writes
    a share of it.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code is ReduceLROnPlateau.step.__code__:
            return True
        frame = frame.f_back
    return False
