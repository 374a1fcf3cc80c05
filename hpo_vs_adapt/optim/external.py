"""Optimizers of libraries as rules: each lane of a pack steps its own instance."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from typing_extensions import override

from hpo_vs_adapt.optim.base import Layout, Oracle, Rule, Run, Stacked, State
from hpo_vs_adapt.optim.declarations import EXEMPTIONS, Declaration
from hpo_vs_adapt.optim.guests import (
    Guest,
    Live,
    MakeOptimizers,
    Point,
    rows,
    switching,
)
from hpo_vs_adapt.optim.isolation import isolated, seed_everything, stream_of
from hpo_vs_adapt.optim.lane_settings import Arguments, settings_by_lane
from hpo_vs_adapt.optim.schedules import SCHEDULE_SETTINGS, Schedule

if TYPE_CHECKING:
    from hpo_vs_adapt.records.trials import Value

__all__ = ["External"]

_GAMMA = 8.0  # of the averaging

_PATIENCE = 20  # steps without a finite gradient after which a lane is given up


class External(Rule):
    """A rule that is an optimizer of a library.

    Gradients come from the pack; each lane has an instance of its own, so that no lane
    sees another. A step whose gradient is zero or not finite (or whose loss is not,
    where the optimizer uses it) is not handed on but skipped and counted: libraries
    divide by it, or never recover. After 20 such gradients in a row that are not finite
    the weights become NaN, as they would have long before without this: the trial has
    diverged. All parameters are one group, since some libraries read the first group's
    rate alone, and all have a gradient, since some fail without.

    A schedule multiplies the group's `lr`, which always is that of the coming step.
    Iterates are averaged by polynomial decay (Shamir & Zhang, ICML 2013), as the DoG
    paper does: `average <- (1 - c) average + c w`, `c = 9 / (t + 8)` at step `t` from
    1.

    The state has `step`, `skipped` and `lost` (steps since the last finite gradient),
    `(..., 1)`; with averaging `average`, `(..., P)`; with random numbers `stream`,
    `(..., 1)`; and the optimizers (`Live`).

    A subclass states `declares` and `source`, and overrides what differs: `arguments`,
    `make`, `rate`. Its `extra_memory` is the optimizer's own and two copies here.
    """

    declares: ClassVar[Declaration]
    source: ClassVar[str]  # of the optimizer, as "module:Class"
    install: ClassVar[str] = ""  # what pip installs it from
    fixed: ClassVar[Mapping[str, Value]] = {}  # arguments that are no settings
    exemptions: ClassVar[Mapping[str, str]] = EXEMPTIONS

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "declares" in vars(cls):
            cls.resumable = cls.declares.resumable
            cls.extra_gradients = cls.declares.extra_passes

    def __init__(self, settings: Stacked, run: Run) -> None:
        super().__init__(settings, run)
        self._lanes = settings_by_lane(settings, self.settings)
        schedule = Schedule(self) if "schedule" in settings else None
        self._schedule = None if schedule is None or schedule.constant else schedule

    @override
    @classmethod
    def check(cls, settings: Mapping[str, Value]) -> None:
        cls.optimizer_class()

    @classmethod
    def optimizer_class(cls) -> Callable[..., Any]:
        """Return the library's class, or what makes it.

        Raises:
            ValueError: If the library is not installed.
        """
        module, _, name = cls.source.partition(":")
        try:
            return getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as problem:
            raise ValueError(
                f"{cls.__name__} must have the library {problem.name}; install it with "
                f"`pip install '{cls.install}'`."
            ) from problem

    @classmethod
    def free_hyperparameters(cls) -> tuple[str, ...]:
        """Return the settings that are left to the user, a schedule's aside."""
        scheduled = SCHEDULE_SETTINGS if "schedule" in cls.settings else {}
        return tuple(name for name in cls.settings if name not in scheduled)

    def arguments(self, settings: Arguments) -> Arguments:
        """Return what the constructor is called with for the settings of a lane."""
        return {**settings, **self.fixed}

    def make(
        self, parameters: list[nn.Parameter], settings: Arguments
    ) -> list[Optimizer]:
        """Return new optimizers of a lane: one, unless parameters are shared out."""
        optimizer = self.optimizer_class()
        return [optimizer(parameters, **self.arguments(settings))]

    def rate(self, guest: Guest, settings: Arguments) -> float:
        """Return the rate that the coming step starts from, as far as it is known."""
        return float(guest.optimizers[0].param_groups[0]["lr"])

    def step(self, guest: Guest, optimizer: Optimizer, point: Point) -> None:
        """Take a step of one optimizer, given what it declares that it needs."""
        call: Any = optimizer.step
        if self.declares.needs_loss:
            call(loss=point.loss)
        elif self.declares.closure == "value":
            call(lambda: float(point.loss))
        elif self.declares.closure == "with_backward":
            call(guest.closure(point))
        else:
            call()

    @override
    def init(self, w: Tensor, layout: Layout) -> State:
        zero = torch.zeros_like(w[..., :1])
        tensors = {"step": zero.long(), "skipped": zero, "lost": zero.long()}
        if self.declares.averaging:
            tensors["average"] = w.clone()
        if self.declares.draws_random:
            seeds = torch.tensor([stream_of(row) for row in rows(w)])
            tensors["stream"] = seeds.reshape(zero.shape).to(w.device)
        guests = []
        with isolated(w.device):
            for lane, row in enumerate(rows(w)):
                if self.declares.draws_random:
                    seed_everything(stream_of(row), "start")
                guests.append(Guest(row, layout.shapes, self._maker(lane)))
        state = Live(tensors, guests)
        self._schedule_rates(state)
        return state

    @override
    def update(
        self, w: Tensor, g: Tensor, state: State, oracle: Oracle
    ) -> tuple[Tensor, State]:
        assert isinstance(state, Live)
        finite, sound = self._judged(g, oracle)
        state["lost"] = torch.where(finite, 0, state["lost"] + 1)
        streams = self._streams(state)
        read = torch.cat([sound.long(), state["lost"]], -1).reshape(-1, 2).tolist()
        with isolated(w.device):
            for row, (taken, lost) in enumerate(read):
                mine = oracle if w.dim() == 1 else oracle.lane(row)
                point = Point(rows(w)[row], rows(g)[row], mine)
                if streams:
                    seed_everything(*streams[row])
                if taken:
                    self._step_guest(state.guests[row], point)
                elif lost >= _PATIENCE:
                    point.w.fill_(torch.nan)
        state["step"] += 1
        state["skipped"] += ~sound
        self._schedule_rates(state)
        if self.declares.averaging:
            steps = state["step"] - state["skipped"]
            share = torch.where(sound, (1 + _GAMMA) / (steps + _GAMMA), 0.0)
            state["average"].mul_(1 - share).addcmul_(w, share)
        return w, state

    @override
    def weights(self, w: Tensor, state: State) -> Tensor:
        assert isinstance(state, Live)
        if self.declares.averaging:
            return state["average"]
        if not self.declares.mode_switch:
            return w
        shown = w.clone()
        with isolated(w.device):
            for row, guest in zip(rows(shown), state.guests, strict=True):
                row.copy_(guest.evaluated(row))
        return shown

    @override
    def observe(self, state: State) -> dict[str, Tensor]:
        assert isinstance(state, Live)
        skipped = state["skipped"]
        rates = [
            self.rate(guest, self._lane(row)) for row, guest in enumerate(state.guests)
        ]
        shown = {
            "lr": skipped.new_tensor(rates).reshape(skipped.shape),
            "skipped": skipped,
        }
        momentum = self.given.get("momentum")
        return shown | ({"momentum": momentum} if isinstance(momentum, Tensor) else {})

    @override
    def save(self, state: State) -> State:
        assert isinstance(state, Live)
        if not self.resumable:
            raise ValueError(
                f"{type(self).__name__} must train in one piece: it cannot be saved."
            )
        return state.saved()

    @override
    def resume(self, w: Tensor, saved: State) -> State:
        with isolated(w.device):
            return Live.opened(w, saved, self._maker)

    def _step_guest(self, guest: Guest, point: Point) -> None:
        guest.put(point.w)
        guest.put_gradient(point.g)
        for optimizer in guest.optimizers:
            self.step(guest, optimizer, point)
        point.w.copy_(guest.gather())

    def _lane(self, row: int) -> Arguments:
        return self._lanes[row if len(self._lanes) > 1 else 0]

    def _maker(self, row: int) -> MakeOptimizers:
        return partial(self._make_training, row)

    def _make_training(
        self, row: int, parameters: list[nn.Parameter]
    ) -> list[Optimizer]:
        made = self.make(parameters, self._lane(row))
        if self.declares.mode_switch:
            for optimizer in made:
                switching(optimizer).train()
        return made

    def _judged(self, g: Tensor, oracle: Oracle) -> tuple[Tensor, Tensor]:
        """Return where a step's numbers are finite, and where there is a step in them.

        Both have the shape `(..., 1)`.
        """
        norm = torch.linalg.vector_norm(g, dim=-1, keepdim=True)
        finite = torch.isfinite(norm)
        if self.declares.uses_loss:
            finite &= torch.isfinite(oracle.loss)
        return finite, finite & (norm > 0)

    def _streams(self, state: State) -> list[tuple[int, int]]:
        """Return what seeds each lane's random numbers in this step, if needed."""
        if "stream" not in state:
            return []
        streams, steps = (state[n].flatten().tolist() for n in ("stream", "step"))
        return list(zip(streams, steps, strict=True))

    def _schedule_rates(self, state: Live) -> None:
        """Give the optimizers the rate of the coming step."""
        if self._schedule is None:
            return
        factors = self._schedule.factor(state["step"]).flatten().tolist()
        for row, guest in enumerate(state.guests):
            for optimizer in guest.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = self._lane(row)["lr"] * factors[row]
