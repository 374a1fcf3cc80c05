"""Whether a class is a workload: what is refused before anything runs."""

from __future__ import annotations

import inspect
import math

import torch
from torch import nn

from hpo_vs_adapt.wording import Problem
from hpo_vs_adapt.workloads.base import Metric, Workload

__all__ = ["ModelProblem", "check_model", "check_workload"]

_NAMED = 3  # parameters that a sentence names; the others are counted


class ModelProblem(Problem, ValueError):
    """A model that cannot be trained as its workload means it."""


def check_workload(cls: object) -> type[Workload]:
    """Return `cls` if it is a workload that can be trained.

    Args:
        cls: What a study's reference led to.

    Raises:
        ValueError: With a sentence that says what is wrong and what to do.
    """
    if not (inspect.isclass(cls) and issubclass(cls, Workload)):
        raise ValueError(
            "A workload must be a subclass of hpo_vs_adapt.workloads.Workload; got "
            f"{cls!r}."
        )
    missing = sorted(cls.__abstractmethods__)
    if missing:
        raise ValueError(f"{cls.__name__} must define {_listed(missing)}.")
    unset = [name for name in ("target", "epochs") if not hasattr(cls, name)]
    if unset:
        raise ValueError(
            f"{cls.__name__} must set {_listed(unset)}: a workload has a target "
            "to reach and a budget in epochs."
        )
    _check_metric(cls)
    _check_numbers(cls)
    return cls


def check_model(workload: Workload) -> nn.Module:
    """Return a new model of a workload if all its parameters are to be trained.

    Rules see one vector of all parameters. Buffers are not among them.

    Args:
        workload: Builds the model; torch's generator is left as it was.

    Raises:
        ModelProblem: If parameters are frozen: the sentence names them.
    """
    with torch.random.fork_rng(devices=[]):
        model = workload.model()
    frozen = [name for name, p in model.named_parameters() if not p.requires_grad]
    if frozen:
        names = ", ".join(f"`{name}`" for name in frozen[:_NAMED])
        more = f" and {len(frozen) - _NAMED} more" if len(frozen) > _NAMED else ""
        raise ModelProblem(
            f"The model of {type(workload).__name__} must not have frozen parameters: "
            "a study trains and charges all of them; got `requires_grad=False` for "
            f"{names}{more}. Keep what is not trained in buffers (`register_buffer`), "
            "or compute what it gives once, in `load`."
        )
    return model


def _check_metric(cls: type[Workload]) -> None:
    metric = cls.metric
    if not isinstance(metric, Metric):
        raise _wrong(cls, "metric", "a Metric", metric)
    if metric.mode not in ("max", "min"):
        raise _wrong(cls, "metric.mode", "'max' or 'min'", metric.mode)
    low = -math.inf if metric.low is None else metric.low
    high = math.inf if metric.high is None else metric.high
    if not (_is_number(cls.target) and low <= cls.target <= high):
        rule = f"a number within the range of {metric.name}, {low:g} to {high:g}"
        raise _wrong(cls, "target", rule, cls.target)


def _check_numbers(cls: type[Workload]) -> None:
    if not (_is_number(cls.epochs) and cls.epochs > 0):
        raise _wrong(cls, "epochs", "a positive number", cls.epochs)
    whole = isinstance(cls.batch_size, int) and not isinstance(cls.batch_size, bool)
    if not (whole and cls.batch_size > 0):
        raise _wrong(cls, "batch_size", "a positive integer", cls.batch_size)
    for name in ("validation_size", "test_size"):
        size = getattr(cls, name)
        if not (_is_number(size) and size > 0 and (size < 1 or size == int(size))):
            raise _wrong(cls, name, "a share between 0 and 1 or a whole number", size)
    for name in ("vectorise", "random_training", "random_start"):
        if not isinstance(getattr(cls, name), bool):
            raise _wrong(cls, name, "True or False", getattr(cls, name))


def _is_number(value: object) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


def _wrong(cls: type[Workload], name: str, rule: str, value: object) -> ValueError:
    return ValueError(f"`{name}` of {cls.__name__} must be {rule}; got {value!r}.")


def _listed(names: list[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)
