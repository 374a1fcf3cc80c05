"""The shape of a study file: which keys there are, and what each may hold.

What needs the rules and workloads themselves is checked afterwards, in `arms` and
`workloads`. Defaults are in `parts`: a key that is left out, or null, is None here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Tag
from pydantic_core import PydanticCustomError

from hpo_vs_adapt.study import fields

__all__ = [
    "ArmSchema",
    "PublishedSchema",
    "RangeSchema",
    "SmokeSchema",
    "SpaceSchema",
    "Statistic",
    "StudySchema",
    "SweepSchema",
    "TuneSchema",
    "WorkloadSchema",
    "given",
]


def _by(read: Callable[[Any], Any]) -> BeforeValidator:
    """Let `read` check a field; the text of its error is the rule it states."""

    def validate(value: Any) -> Any:
        try:
            return read(value)
        except ValueError as error:
            raise PydanticCustomError("rule", "{rule}", {"rule": str(error)}) from None

    return BeforeValidator(validate)


def _or_auto(read: Callable[[Any], Any], rule: str) -> BeforeValidator:
    """Let `read` check a field that may be ``auto`` as well, which is None."""

    def validate(value: Any) -> Any:
        if value is None or value == "auto":
            return None
        try:
            return read(value)
        except ValueError:
            raise PydanticCustomError("rule", "{rule}", {"rule": rule}) from None

    return BeforeValidator(validate)


def _short(value: Any) -> Any:
    """Read a workload's bare name as the mapping it is short for."""
    return {"name": value} if isinstance(value, str) else value


def _steps_or_epochs(value: Any) -> Any:
    """Read a bare number of steps as the mapping it is short for."""
    if value is None or isinstance(value, Mapping):
        return value
    rule = "a positive integer (steps) or {epochs: a number > 0}"
    return {"steps": fields.as_count(1, rule)(value)}


def _shape(value: Any) -> str | None:
    """Tell a list from a mapping; the tags never reach a message."""
    if isinstance(value, Mapping):
        return "<mapping>"
    return "<list>" if isinstance(value, (list, tuple)) else None


def _names_or_changes(value: Any) -> Any:
    """Read a list of names as the mapping without changes it is short for."""
    if not isinstance(value, (list, tuple, Mapping)):
        return value
    changes = value if isinstance(value, Mapping) else dict.fromkeys(map(str, value))
    return {name: {} if change is None else change for name, change in changes.items()}


Name = Annotated[str, _by(fields.as_name)]
Text = Annotated[str, _by(fields.as_text)]
Flag = Annotated[bool, _by(fields.as_flag)]
Finite = Annotated[float, _by(fields.as_number(float("-inf"), "a finite number"))]
Positive = Annotated[float, _by(fields.as_number(0, "a number > 0", open_=True))]
PositiveCount = Annotated[int, _by(fields.as_count(1, "a positive integer"))]
Count = Annotated[int, _by(fields.as_count(0, "an integer >= 0"))]
Points = Annotated[int, _by(fields.as_count(2, "an integer >= 2"))]


class _Schema(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RangeSchema(_Schema):
    """Evenly spaced values from `low` to `high`, both included."""

    low: Finite
    high: Finite
    points: Points
    log: Flag | None = None


class SpaceSchema(_Schema):
    """What a tuner may choose: a range of numbers, or `choices`."""

    low: Finite | None = None
    high: Finite | None = None
    log: Flag | None = None
    step: Positive | None = None
    choices: tuple[Any, ...] | None = None


Values = Annotated[
    Annotated[RangeSchema, Tag("<mapping>")]
    | Annotated[tuple[Any, ...], Tag("<list>")],
    Discriminator(_shape),
]
Choosable = Annotated[
    Annotated[SpaceSchema, Tag("<mapping>")]
    | Annotated[tuple[Any, ...], Tag("<list>")],
    Discriminator(_shape),
]


class TuneSchema(_Schema):
    """How hyperparameters are chosen."""

    by: Literal["grid", "random", "optuna"]
    grid: dict[str, Values] | None = None
    space: dict[str, Choosable] | None = None
    sampler: Text | None = None
    sampler_args: dict[str, Any] | None = None
    trials: PositiveCount | None = None
    batch: PositiveCount | None = None
    repeats: PositiveCount | None = None
    training_seed: Literal["stream", "fresh"] | None = None
    retrain: Count | None = None
    objective: Literal["metric", "cost"] | None = None
    space_from: Text | None = None
    space_trials: Count | None = None


class OptimizerSchema(_Schema):
    """A rule; all other keys are its settings."""

    model_config = ConfigDict(extra="allow", frozen=True)

    rule: Text
    calibrated: Flag | None = None


class ArmSchema(_Schema):
    """One contender: a rule, or other arms that are tried in turn."""

    name: Name
    optimizer: OptimizerSchema | None = None
    any_of: tuple[Name, ...] | None = None
    tune: TuneSchema | None = None
    stop_at_target: Flag | None = None


class BudgetSchema(_Schema):
    """How long a trial may train."""

    epochs: Positive


class IntervalSchema(_Schema):
    """How far apart evaluations are."""

    epochs: Positive | None = None
    steps: PositiveCount | None = None


class WorkloadSchema(_Schema):
    """A workload, and what the study changes of it."""

    name: Text
    label: Name | None = None
    target: Finite | None = None
    budget: BudgetSchema | None = None
    batch_size: PositiveCount | None = None
    evaluate_every: Annotated[IntervalSchema | None, _by(_steps_or_epochs)] = None
    split: Literal["default", "paper"] | None = None
    data: Text | None = None
    precision: Literal["float32", "float64"] | None = None


class SweepSchema(_Schema):
    """A sensitivity sweep."""

    arms: tuple[Name, ...]
    vary: dict[str, Values]
    workloads: tuple[Name, ...] | None = None


class StorageSchema(_Schema):
    """Where results are kept."""

    records: Text | None = None
    optuna: Text | None = None


_auto_count = fields.as_count(1, "")
_auto_number = fields.as_number(0, "")


class ResourcesSchema(_Schema):
    """What a pack gets."""

    lanes: Annotated[
        int | None, _or_auto(_auto_count, "auto or a positive integer")
    ] = None
    gpu: Annotated[float | None, _or_auto(_auto_number, "auto or a number >= 0")] = None
    cpu: Positive | None = None
    retries: Count | None = None
    packs: Annotated[
        int | None, _or_auto(_auto_count, "auto or a positive integer")
    ] = None


Statistic = Literal[
    "final_test_metric",
    "final_validation_metric",
    "final_validation_loss",
    "final_train_loss",
    "final_lr",
    "best_validation_metric",
    "best_validation_loss",
    "test_metric_at_best",
]
"""What of a trial can be held against a published value."""


class SelectSchema(_Schema):
    """Which of several trials stand for a published value."""

    over: Text
    by: Literal["test", "validation"]


class BesideSchema(_Schema):
    """Results of other workloads, in a second column."""

    workloads: dict[str, Name]
    by: Literal["test", "validation"]


class PublishedSchema(_Schema):
    """Published values to hold the study against."""

    source: Text
    table: Annotated[Any, _by(fields.as_table)]
    statistic: Statistic
    percent: Flag | None = None
    select: SelectSchema | None = None
    beside: BesideSchema | None = None
    diverged: Finite | None = None


Changes = Annotated[
    dict[str, dict[str, Any]] | None, BeforeValidator(_names_or_changes)
]


class SmokeSchema(_Schema):
    """What a smoke run changes of the study."""

    seeds: tuple[Count, ...] | None = None
    budget: BudgetSchema | None = None
    workloads: Changes = None
    arms: Changes = None
    sensitivity: tuple[dict[str, Any], ...] | None = None


class StudySchema(_Schema):
    """A study file."""

    name: Name
    workloads: tuple[Annotated[WorkloadSchema, BeforeValidator(_short)], ...]
    arms: tuple[ArmSchema, ...]
    seeds: tuple[Count, ...] | None = None
    reference: Name | None = None
    sensitivity: tuple[SweepSchema, ...] | None = None
    storage: StorageSchema | None = None
    resources: ResourcesSchema | None = None
    published: PublishedSchema | None = None
    smoke: SmokeSchema | None = None


def given(schema: BaseModel | None) -> dict[str, Any]:
    """Return what a part of the file states; the rest is left to `parts`."""
    if schema is None:
        return {}
    values = {name: getattr(schema, name) for name in type(schema).model_fields}
    return {name: value for name, value in values.items() if value is not None}
