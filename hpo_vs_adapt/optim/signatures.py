"""Any `torch.optim.Optimizer` as a rule, its settings read from its constructor."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from torch.optim import Optimizer
from typing_extensions import override

from hpo_vs_adapt.optim.base import Rule, Setting, SettingProblem
from hpo_vs_adapt.optim.declarations import Declaration
from hpo_vs_adapt.optim.external import External
from hpo_vs_adapt.optim.guests import Guest
from hpo_vs_adapt.optim.lane_settings import Arguments
from hpo_vs_adapt.optim.schedules import SCHEDULE_SETTINGS

if TYPE_CHECKING:
    from hpo_vs_adapt.records.trials import Value

__all__ = ["external_rule"]

# How a step is computed, not what it is; the adapter decides.
_IMPLEMENTATION = {"foreach", "fused", "capturable", "differentiable", "maximize"}


@cache
def external_rule(optimizer: type[Optimizer]) -> type[Rule]:
    """Return a rule that steps a library's optimizer, or one's own.

    Its settings are the constructor's arguments that are numbers, flags, words or
    tuples of numbers, with the constructor's defaults; an argument without a default
    must be given. With an argument `lr` it takes schedules too. Where `step` takes a
    closure it gets one, which costs nothing until it is called at other weights than
    those of the step's own gradient. Classes with `train()` and `eval()` are evaluated
    as `eval()` leaves the weights.

    The class itself may say more in attributes: `adapts` ("rate", "momentum",
    "schedule"; else "nothing") and `resumable` (False if it cannot be saved).

    Args:
        optimizer: Its constructor takes parameters first.

    Raises:
        ValueError: If it is not an optimizer, or its constructor takes no parameters.
    """
    if not (inspect.isclass(optimizer) and issubclass(optimizer, Optimizer)):
        raise ValueError(
            f"An optimizer must be a subclass of torch.optim.Optimizer; got "
            f"{optimizer!r}."
        )
    parameters = list(inspect.signature(optimizer).parameters.values())
    if not parameters or parameters[0].kind is inspect.Parameter.KEYWORD_ONLY:
        raise ValueError(
            f"The constructor of {optimizer.__name__} must take the parameters first."
        )
    settings, required = _settings(parameters[1:])
    scheduled = "lr" in settings and not SCHEDULE_SETTINGS.keys() & settings.keys()
    doc = (inspect.getdoc(optimizer) or "").partition("\n")[0]
    attributes: dict[str, Any] = {
        "__doc__": doc,
        # Of the optimizer, so that its source is part of every trial's identity.
        "__module__": optimizer.__module__,
        "optimizer": optimizer,
        "required": required,
        "declares": Declaration(
            lr="rate" if "lr" in settings else "none",
            schedule="optional" if scheduled else "forbidden",
            closure="with_backward" if _takes_closure(optimizer) else "none",
            mode_switch=_switches(optimizer),
            resumable=bool(getattr(optimizer, "resumable", True)),
            mutates_grad=True,
            draws_random=True,
            extra_passes="as many as it calls its closure at other weights",
        ),
        "settings": {**settings, **(SCHEDULE_SETTINGS if scheduled else {})},
        "adapts": getattr(optimizer, "adapts", "nothing"),
        "reference": f"{optimizer.__module__}:{optimizer.__qualname__}",
        "defaults": "library",
        "extra_memory": "unknown + 2",
    }
    return type(optimizer.__name__, (_Signed,), attributes)


class _Signed(External):
    """An optimizer that is known by its constructor alone."""

    optimizer: type[Optimizer]
    required: tuple[str, ...]

    @override
    @classmethod
    def optimizer_class(cls) -> type[Optimizer]:
        return cls.optimizer

    @override
    @classmethod
    def check(cls, settings: Mapping[str, Value]) -> None:
        for name in cls.required:
            if settings.get(name) is None:
                rule = f"given: {cls.__name__} has no default for it"
                raise SettingProblem(name, settings.get(name), rule)

    @override
    def arguments(self, settings: Arguments) -> Arguments:
        # None is either the constructor's default or stands for it.
        return {name: value for name, value in settings.items() if value is not None}

    @override
    def rate(self, guest: Guest, settings: Arguments) -> float:
        return float(guest.optimizers[0].param_groups[0].get("lr", 0.0))


@dataclass(frozen=True, slots=True)
class _Free(Setting):
    """A setting of which only the constructor knows what it may be."""

    @property
    @override
    def allowed(self) -> str:
        return "a number, a word, a flag, a list of numbers or null"

    @override
    def accepts(self, value: object) -> bool:
        if isinstance(value, tuple):
            return all(type(entry) in (int, float) for entry in value)
        return value is None or isinstance(value, (bool, int, float, str))


def _settings(
    parameters: list[inspect.Parameter],
) -> tuple[dict[str, Setting], tuple[str, ...]]:
    """Return the settings of a constructor's arguments, and which must be given."""
    settings, required = {}, []
    for parameter in parameters:
        several = parameter.kind in (
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.VAR_KEYWORD,
        )
        if several or parameter.name in _IMPLEMENTATION:
            continue
        default = parameter.default
        if default is inspect.Parameter.empty:
            required.append(parameter.name)
            default = None
        setting = _setting(default, parameter.annotation)
        if setting is not None:
            settings[parameter.name] = setting
    return settings, tuple(required)


def _setting(default: object, annotation: object) -> Setting | None:
    """Return an argument as a setting, None if a study cannot name its values."""
    doc = "argument of the constructor"
    said = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    integer = "int" in said and "float" not in said
    if isinstance(default, bool):
        return Setting(default, doc, choices=(False, True))
    if isinstance(default, (int, float)) and math.isfinite(default):
        return Setting(default, doc, integer=integer)
    if default is None or isinstance(default, (str, float)):
        # An infinite default cannot be written in a study: null stands for it.
        given = default if isinstance(default, str) else None
        return _Free(given, doc, integer=integer)
    if isinstance(default, tuple) and all(type(x) in (int, float) for x in default):
        return Setting(default, doc, length=len(default))
    return None


def _takes_closure(optimizer: type[Optimizer]) -> bool:
    return "closure" in inspect.signature(optimizer.step).parameters


def _switches(optimizer: type[Optimizer]) -> bool:
    names = ("train", "eval")
    return all(callable(getattr(optimizer, name, None)) for name in names)
