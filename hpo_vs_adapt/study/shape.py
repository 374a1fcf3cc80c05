"""Checking the shape of a study file, and saying in its terms what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hpo_vs_adapt.study.errors import FieldError, StudyError, must, unknown
from hpo_vs_adapt.study.schema import StudySchema

__all__ = ["check_shape"]


def check_shape(data: Mapping[str, Any], source: Path | None = None) -> StudySchema:
    """Return a study file's content, checked as far as its shape goes.

    Raises:
        StudyError: With everything about the shape that is wrong.
    """
    try:
        _size(data, "", [], {})
    except FieldError as problem:
        raise StudyError([str(problem)], source) from None
    except RecursionError:
        raise StudyError(["it is nested too deep to be read."], source) from None
    try:
        return StudySchema.model_validate(dict(data))
    except ValidationError as error:
        sentences = [_sentence(details) for details in error.errors(include_url=False)]
        raise StudyError(sentences, source) from None


_MOST_VALUES = 1_000_000
_MOST_BITS = 1000  # a float holds whole numbers of up to 1024


def _size(value: Any, path: str, around: list[int], known: dict[int, int]) -> int:
    """Return how many values are in a value, anchors repeated.

    Args:
        value: Any part of a study.
        path: Where it is.
        around: Identities of the lists and mappings that it is in.
        known: Identities of lists and mappings to their sizes.

    Raises:
        FieldError: If it is in itself, has more values than can be read, or a number
            is too large to be one.
    """
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise FieldError(f"`{path}` must be a number of at most 300 digits.")
    if isinstance(value, Mapping):
        parts = [(f"{path}.{key}".removeprefix("."), one) for key, one in value.items()]
    elif isinstance(value, (list, tuple)):
        parts = [(f"{path}[{i}]", one) for i, one in enumerate(value)]
    else:
        return 1
    if id(value) in around:
        raise FieldError(f"`{path}` must not be in itself: its anchor is around it.")
    if id(value) not in known:
        inside = [*around, id(value)]
        known[id(value)] = 1 + sum(_size(one, at, inside, known) for at, one in parts)
    if known[id(value)] > _MOST_VALUES:
        raise FieldError(f"`{path}` must have at most {_MOST_VALUES:,} values.")
    return known[id(value)]


_RULES = {
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "union_tag_not_found": "a list of values or a range {low, high, …}",
}
"""What the errors of pydantic mean in the file's terms."""


def _sentence(details: ErrorDetails) -> str:
    location, kind = details["loc"], details["type"]
    path = _path(location)
    if kind == "extra_forbidden":
        model = _model_at(location[:-1])
        return str(unknown("key", path, str(location[-1]), model.model_fields))
    if kind == "missing":
        return f"`{path}` is missing."
    if kind == "literal_error":
        rule = details["ctx"]["expected"].replace("'", "`")
        return str(must(path, rule, details["input"]))
    return str(must(path, _RULES.get(kind, details["msg"]), details["input"]))


def _path(location: tuple[str | int, ...]) -> str:
    parts = (
        f"[{part}]" if isinstance(part, int) else f".{part}"
        for part in location
        if isinstance(part, int) or not part.startswith("<")
    )
    return "".join(parts).removeprefix(".")


def _model_at(location: tuple[str | int, ...]) -> type[BaseModel]:
    """Return the schema of the mapping at `location`, for the keys it knows."""
    model: type[BaseModel] = StudySchema
    for part in location:
        field = model.model_fields.get(part) if isinstance(part, str) else None
        if field is not None:
            model = next(_models(field.annotation), model)
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the schemas named in a type, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
