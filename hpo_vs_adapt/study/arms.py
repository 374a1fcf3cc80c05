"""Arms of a study: from the file's shape to checked parts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo_vs_adapt.study.calibrations import Calibration, calibrations
from hpo_vs_adapt.study.errors import FieldError, Problems
from hpo_vs_adapt.study.parts import Arm, Tune
from hpo_vs_adapt.study.schema import ArmSchema, SpaceSchema, TuneSchema, given
from hpo_vs_adapt.study.values import BATCH_SIZE, MOST, Known, check_count

if TYPE_CHECKING:
    from hpo_vs_adapt.records.trials import Value

__all__ = ["build_arm", "check_combinations", "check_together", "combinations"]

DEFAULT_SAMPLER = "tpe"

STARTUP_SAMPLERS = ("tpe", "gp")
"""Samplers of Optuna that start with `n_startup_trials` random ones, 10 by default."""

OWN_KEYS = {
    "grid": ("grid",),
    "random": ("space", "trials"),
    "optuna": ("space", "trials", "sampler", "sampler_args", "batch"),
}
"""Keys of `tune` that only some ways of choosing have."""

NEEDED_KEYS = {
    "grid": ("grid",),
    "random": ("trials",),
    "optuna": ("trials",),
}


def build_arm(
    schema: ArmSchema, path: str, base: Path, problems: Problems
) -> tuple[Arm, Known] | None:
    """Return an arm and what its rule's settings may be; None if it is wrong.

    Args:
        schema: As the file has it.
        path: Where it is in the file, ``arms[0]``.
        base: Folder that relative references start at.
        problems: Collects what is wrong.
    """
    before = len(problems.found)
    if schema.optimizer is None:
        problems.found.append(
            f"`{path}.optimizer` is missing; an arm has one, or `any_of`."
        )
        return None
    known = _rule(schema.optimizer.rule, f"{path}.optimizer.rule", base, problems)
    if known is None:
        return None
    settings: dict[str, Value] = {}
    for name, value in (schema.optimizer.model_extra or {}).items():
        with problems.collecting():
            at = f"{path}.optimizer.{name}"
            settings[name] = known.value(at, name, value)
    calibration = None
    if schema.optimizer.calibrated:
        with problems.collecting():
            calibration = _calibration(f"{path}.optimizer", known, settings)
            settings |= calibration.settings
    tune = None
    if schema.tune is not None:
        tune = _tune(schema.tune, f"{path}.tune", known, settings, problems)
    if len(problems.found) > before:
        return None
    with problems.collecting():
        for chosen in _combinations(tune):
            check_together(f"{path}.optimizer", known, settings, chosen)
    stop = bool(schema.stop_at_target)
    arm = Arm(
        schema.name,
        known.name,
        settings,
        tune,
        stop,
        known.rule.adapts,
        calibration=calibration,
        held_out=known.rule.held_out_share(settings),
    )
    return arm, known


def _calibration(path: str, known: Known, settings: Mapping[str, Value]) -> Calibration:
    """Return what was chosen for a rule across workloads.

    Raises:
        FieldError: If nothing was, or the study sets one of its settings as well.
    """
    found = calibrations().get(known.name)
    if found is None:
        names = ", ".join(sorted(calibrations()))
        raise FieldError(
            f"`{path}.calibrated`: no settings were calibrated for `{known.name}`; "
            f"there are some for {names}."
        )
    for name in settings:
        if name in found.settings:
            raise FieldError(
                f"`{path}.{name}` is among the calibrated settings; remove it or "
                "`calibrated`."
            )
    return found


def _rule(name: str, path: str, base: Path, problems: Problems) -> Known | None:
    from hpo_vs_adapt.plugins.references import ReferenceProblem, find_rule

    try:
        return Known(name, find_rule(name, base))
    except ReferenceProblem as problem:
        problems.found.append(f"`{path}`: {problem}")
        return None


def _tune(
    schema: TuneSchema,
    path: str,
    known: Known,
    fixed: Mapping[str, Value],
    problems: Problems,
) -> Tune:
    _check_keys(schema, path, problems)
    grid: dict[str, tuple[Value, ...]] = {}
    for name, values in (schema.grid or {}).items():
        with problems.collecting():
            _not_fixed(path, f"{path}.grid.{name}", name, fixed)
            grid[name] = known.listed(f"{path}.grid.{name}", name, values)
    with problems.collecting():
        check_combinations(f"{path}.grid", grid)
    for key in ("trials", "repeats", "retrain"):
        with problems.collecting():
            check_count(f"{path}.{key}", getattr(schema, key) or 0)
    space = {}
    for name, choosable in (schema.space or {}).items():
        with problems.collecting():
            _not_fixed(path, f"{path}.space.{name}", name, fixed)
            space[name] = known.space(f"{path}.space.{name}", name, choosable)
    stated = given(schema) | {"grid": grid, "space": space}
    if "space" in OWN_KEYS[schema.by] and schema.space is None:
        with problems.collecting():
            stated = _space_of_rule(path, known, fixed) | given(schema)
    if schema.by == "optuna":
        with problems.collecting():
            stated |= _sampler(schema, path)
    return Tune(**stated)


def _space_of_rule(
    path: str, known: Known, fixed: Mapping[str, Value]
) -> dict[str, Any]:
    """Return the space that a rule declares, less what is fixed, and its origin."""
    rule = known.rule
    space = {
        name: known.space(
            f"{path}.space.{name}",
            name,
            SpaceSchema(low=one.low, high=one.high, log=one.log),
        )
        for name, one in rule.space.items()
        if name not in fixed
    }
    if not space:
        why = (
            f"`optimizer` fixes all that `{known.name}` would tune"
            if rule.space
            else f"`{known.name}` does not say what to tune"
        )
        raise FieldError(
            f"`{path}.space` is missing, and {why}; name at least one setting there."
        )
    return {
        "space": space,
        "space_from": rule.space_from,
        "space_trials": rule.space_trials,
    }


def _check_keys(schema: TuneSchema, path: str, problems: Problems) -> None:
    """Note keys that belong to another `by`, and those that are missing or empty."""
    stated = given(schema)
    restricted = {key for keys in OWN_KEYS.values() for key in keys}
    for key in stated:
        if key in restricted and key not in OWN_KEYS[schema.by]:
            ways = [f"`by: {by}`" for by, keys in OWN_KEYS.items() if key in keys]
            problems.found.append(
                f"`{path}.{key}` belongs to {' and '.join(ways)}, "
                f"not to `by: {schema.by}`; remove it."
            )
    for key in NEEDED_KEYS[schema.by]:
        if key not in stated:
            problems.found.append(
                f"`{path}.{key}` is missing; `by: {schema.by}` needs it."
            )
    for key in ("grid", "space"):
        if key in OWN_KEYS[schema.by] and stated.get(key) == {}:
            rule = "must name at least one setting"
            problems.found.append(f"`{path}.{key}` {rule}; got {stated[key]!r}.")


def _not_fixed(path: str, tuned: str, name: str, fixed: Mapping[str, Value]) -> None:
    if name in fixed:
        optimizer = path.removesuffix(".tune") + ".optimizer"
        raise FieldError(
            f"`{tuned}` is tuned, but `{optimizer}.{name}` fixes it; remove one."
        )


def _sampler(schema: TuneSchema, path: str) -> dict[str, Any]:
    """Return sampler and arguments, with the number of random trials at the start.

    TPE and GP draw their first trials at random, 10 by default. A stream of fewer than
    20 trials gets half of its trials instead, so that it is not random search under
    another name; the number is part of the study either way.
    """
    from hpo_vs_adapt.plugins.samplers import check_sampler

    name, args = schema.sampler or DEFAULT_SAMPLER, dict(schema.sampler_args or {})
    if name in STARTUP_SAMPLERS and "n_startup_trials" not in args and schema.trials:
        args["n_startup_trials"] = min(10, max(1, schema.trials // 2))
    try:
        check_sampler(name, args)
    except ValueError as error:
        raise FieldError(f"`{path}`: {error}") from None
    return {"sampler": name, "sampler_args": args}


def check_together(
    path: str, known: Known, settings: Mapping[str, Value], chosen: Mapping[str, Value]
) -> None:
    """Refuse settings that contradict each other, fixed and chosen ones together.

    Raises:
        FieldError: With the sentence of the rule.
    """
    rest = {name: value for name, value in chosen.items() if name != BATCH_SIZE}
    try:
        known.rule.check({**settings, **rest})
    except ValueError as error:
        given_ = ", ".join(f"{name}={value!r}" for name, value in rest.items())
        where = f" with {given_}" if given_ else ""
        raise FieldError(f"`{path}`{where}: {error}") from None


def _combinations(tune: Tune | None) -> Iterator[dict[str, Value]]:
    """Yield what a tuner may choose: a grid in full, of ranges the two ends."""
    values: dict[str, Sequence[Value]] = {}
    if tune is not None:
        values.update(tune.grid)
        for name, space in tune.space.items():
            values[name] = space.choices or (space.low, space.high)
    yield from combinations(values)


def check_combinations(path: str, values: Mapping[str, Sequence[Value]]) -> None:
    """Refuse lists with more combinations than anybody can train.

    Raises:
        FieldError: If there are more than `MOST`.
    """
    number = math.prod(map(len, values.values()))
    if number > MOST:
        raise FieldError(
            f"`{path}` must have at most {MOST:,} combinations; got {number:,}."
        )


def combinations(values: Mapping[str, Sequence[Value]]) -> Iterator[dict[str, Value]]:
    """Yield every way to choose one value for each name."""
    for chosen in product(*values.values()):
        yield dict(zip(values, chosen, strict=True))
