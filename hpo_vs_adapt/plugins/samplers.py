"""Optuna's samplers by name, checked and seeded."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.samplers import BaseSampler

from hpo_vs_adapt.metrics.basics.quiet import quiet_optuna
from hpo_vs_adapt.plugins.references import load_object
from hpo_vs_adapt.records.trials import Value
from hpo_vs_adapt.seeds import derive
from hpo_vs_adapt.wording import did_you_mean

__all__ = [
    "SAMPLERS",
    "check_sampler",
    "find_sampler",
    "make_sampler",
    "sampler_settings",
]

SAMPLERS: Mapping[str, type[BaseSampler]] = {
    "cmaes": optuna.samplers.CmaEsSampler,
    "gp": optuna.samplers.GPSampler,
    "nsgaii": optuna.samplers.NSGAIISampler,
    "nsgaiii": optuna.samplers.NSGAIIISampler,
    "qmc": optuna.samplers.QMCSampler,
    "random": optuna.samplers.RandomSampler,
    "tpe": optuna.samplers.TPESampler,
}
"""Samplers by the name they have in a study.

All take floats, ints and categoricals. ``gp`` models categoricals with a kernel of
their own, ``qmc`` gives each one a coordinate of its sequence, ``cmaes`` draws them at
random and models the numbers alone.
"""

STATED: Mapping[str, Mapping[str, Value]] = {
    "cmaes": {"n_startup_trials": 1, "warn_independent_sampling": False},
    "gp": {"n_startup_trials": 10, "deterministic_objective": False},
    "nsgaii": {"population_size": 50},
    "nsgaiii": {"population_size": 50},
    "qmc": {"qmc_type": "sobol", "scramble": True},
    # `constant_liar` counts the trials of the running batch as bad: without it a batch
    # is drawn as if its members did not exist.
    "tpe": {"n_startup_trials": 10, "multivariate": True, "constant_liar": True},
}
"""Arguments fixed here, so that other defaults of a later Optuna change nothing.

The first `n_startup_trials` trials (with ``nsgaii`` and ``nsgaiii``: the first
`population_size`; with ``qmc`` the first) are drawn at random.
"""

# What breaks in ask and tell, and what to write instead.
REFUSED: Mapping[str, str] = {
    "grid": "write `by: grid` with a `grid` of lists",
    "gridsampler": "write `by: grid` with a `grid` of lists",
    "bruteforce": "write `by: grid` with a `grid` of lists",
    "bruteforcesampler": "write `by: grid` with a `grid` of lists",
    "partialfixed": "fix the setting in `optimizer` and leave it out of `space`",
    "partialfixedsampler": "fix the setting in `optimizer` and leave it out of `space`",
}

PLAIN_TYPES: Mapping[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "dict[str, Any]": (dict,),
}


def check_sampler(name: str, args: Mapping[str, Any]) -> None:
    """Refuse a sampler that does not exist, or arguments it does not take.

    Args:
        name: A name of `SAMPLERS`, or ``package.module:Class``.
        args: Its arguments, as in the study.

    Raises:
        ValueError: With a sentence that says what is wrong and what to do.
    """
    cls = find_sampler(name)
    known = inspect.signature(cls).parameters
    if "seed" not in known:
        raise ValueError(
            f"`sampler` must be a class that takes a `seed`; got {name!r}. Its "
            "suggestions could not be repeated."
        )
    for key, value in args.items():
        _check_argument(name, key, value, known)
    try:
        make_sampler(cls, sampler_settings(name, args), 0, 0)
    except (TypeError, ValueError, ImportError) as error:
        raise ValueError(
            f"`sampler_args` must be accepted by {name!r}; got {dict(args)!r}: {error}"
        ) from error


def find_sampler(name: str) -> type[BaseSampler]:
    """Return a sampler's class by a name of `SAMPLERS` or by its reference.

    Raises:
        ValueError: If there is none, or it does not work in ask and tell.
    """
    if name in SAMPLERS:
        return SAMPLERS[name]
    cls = load_object(name) if ":" in name else None
    short = cls.__name__ if isinstance(cls, type) else name
    if short.lower() in REFUSED:
        advice = REFUSED[short.lower()]
        raise ValueError(
            f"`sampler` must be one that works in ask and tell; got {name!r}. Instead, "
            f"{advice}."
        )
    if cls is None:
        raise ValueError(
            f"`sampler` must be one of {', '.join(SAMPLERS)}, or "
            f"`package.module:Class`; got {name!r}{did_you_mean(name, SAMPLERS)}"
        )
    if not (isinstance(cls, type) and issubclass(cls, BaseSampler)):
        raise ValueError(
            "`sampler` must be a subclass of optuna.samplers.BaseSampler; "
            f"got {name!r}."
        )
    return cls


def sampler_settings(name: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a sampler, with those stated here filled in."""
    return {**STATED.get(name, {}), **args}


def make_sampler(
    cls: type[BaseSampler], settings: Mapping[str, Any], seed: int, number: int
) -> BaseSampler:
    """Return a new sampler for one trial, seeded for it.

    Args:
        cls: From `find_sampler`.
        settings: From `sampler_settings`.
        seed: The stream's seed.
        number: Number of the trial in its stream.
    """
    settings = dict(settings)
    # numpy's seeds have 32 bits.
    drawn = derive(seed, "sampler", number) % 2**32
    if issubclass(cls, optuna.samplers.QMCSampler):
        # One scrambling for the whole stream: the points of a sequence are even only
        # together. What falls outside the sequence is drawn anew for each trial.
        settings["independent_sampler"] = optuna.samplers.RandomSampler(drawn)
        drawn = derive(seed, "sampler") % 2**32
    settings["seed"] = drawn
    with quiet_optuna():
        return cls(**settings)


def _check_argument(
    name: str, key: str, value: Any, known: Mapping[str, inspect.Parameter]
) -> None:
    if key == "seed":
        raise ValueError(
            f"`sampler_args` must leave `seed` out; got {value!r}. It follows from the "
            "stream's seed."
        )
    if key not in known:
        raise ValueError(
            f"`sampler_args` must be arguments of {name!r}; got {key!r}"
            f"{did_you_mean(key, known)}"
        )
    annotation = known[key].annotation
    if annotation is inspect.Parameter.empty:
        return
    words = [word.strip() for word in str(annotation).split("|")]
    if value is None and "None" in words:
        return
    types = [kind for word in words for kind in PLAIN_TYPES.get(word, ())]
    if not types:
        raise ValueError(
            f"`sampler_args` must be plain values; got {key!r}, which takes an object "
            f"of Python. Name a sampler class of your own that sets it."
        )
    wrong = bool not in types if isinstance(value, bool) else False
    if wrong or not isinstance(value, tuple(types)):
        rule = " or ".join(dict.fromkeys(kind.__name__ for kind in types))
        raise ValueError(f"`{key}` of {name!r} must be {rule}; got {value!r}.")
