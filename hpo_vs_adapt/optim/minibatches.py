"""A closure's minibatch, evaluated again at other weights without any trace."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from hpo_vs_adapt.optim.parameter_vector import ParameterVector

__all__ = ["Closure", "Minibatch", "Places", "RandomState"]

Closure = Callable[[], Any]
"""Clears the gradients, backpropagates and returns the loss, a tensor or a float."""

Places = Mapping[ParameterVector, Tensor]
"""Parameters, and the weights `(P,)` to evaluate them at."""


class RandomState:
    """Where torch's, NumPy's and Python's global random numbers stand."""

    def __init__(self) -> None:
        self._python = random.getstate()
        self._numpy = np.random.get_state()  # noqa: NPY002  # what closures may use
        self._cpu = torch.get_rng_state()
        # Asking would start CUDA where nobody has used it.
        begun = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]  # of torch
        self._cuda = torch.cuda.get_rng_state_all() if begun else []

    def restore(self) -> None:
        """Set them back."""
        random.setstate(self._python)
        np.random.set_state(self._numpy)  # noqa: NPY002
        torch.set_rng_state(self._cpu)
        if self._cuda:
            torch.cuda.set_rng_state_all(self._cuda)


class Minibatch:
    """The minibatch of a step: its loss at the step's own weights, and at others.

    Args:
        closure: Evaluates it.
        again: Whether it will be evaluated at other weights too.
    """

    returned: Any
    """What the closure returned at the step's own weights."""

    def __init__(self, closure: Closure, again: bool) -> None:
        self._closure, self._again, self._random = closure, again, RandomState()
        self._modules: dict[nn.Module, None] = {}

    def rewind(self) -> None:
        """Set the random numbers back to before the step."""
        self._random.restore()

    def evaluate(self) -> None:
        """Let the closure compute loss and gradients at the step's own weights."""
        with ExitStack() as notes, torch.enable_grad():
            if self._again:
                handle = register_module_forward_pre_hook(self._note)
                notes.callback(handle.remove)
            self.returned = self._closure()

    def at(self, places: Places, params: Iterable[Tensor], gradients: bool) -> Any:
        """Return the loss at other weights, what `returned` is at the step's own.

        The random numbers are those of the step's own evaluation. Afterwards weights,
        gradients, buffers of modules and random numbers are what they were.

        Args:
            places: Vectors of parameters, and the weights `(P,)` to evaluate them at.
            params: All parameters of the optimizer.
            gradients: Whether the vectors shall take in their `second` gradients.
        """
        after = RandomState()
        others = [p for module in self._modules for p in module.parameters(False)]
        own = {p: p.grad for p in (*params, *others)}
        buffers = [
            (module, name, buffer, buffer.clone())
            for module in self._modules
            if module.training
            for name, buffer in module.named_buffers(recurse=False)
        ]
        self._random.restore()
        try:
            for p in own:
                p.grad = None
            with ExitStack() as moves, torch.enable_grad():
                for vector, w in places.items():
                    moves.enter_context(vector.moved(w))
                loss = self._closure()
            if gradients:
                for vector in places:
                    vector.collect_second()
        finally:
            after.restore()
            for p, gradient in own.items():
                p.grad = gradient
            for module, name, buffer, value in buffers:
                setattr(module, name, buffer.copy_(value))
        return loss

    def _note(self, module: nn.Module, _: object) -> None:
        """Note a module that is called: it and its parts may keep running statistics.

        Its buffers are looked at after the call: during it they may be stand-ins
        (`torch.func.functional_call`).
        """
        if module not in self._modules:
            self._modules.update(dict.fromkeys(module.modules()))
