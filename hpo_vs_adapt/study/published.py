"""Published values that a study is held against: its key `published`."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from hpo_vs_adapt.study.errors import FieldError, Problems, StudyError, must
from hpo_vs_adapt.study.fields import numeric
from hpo_vs_adapt.study.parts import Arm, Sweep
from hpo_vs_adapt.study.schema import PublishedSchema, Statistic
from hpo_vs_adapt.study.text import read_text
from hpo_vs_adapt.study.values import BATCH_SIZE, Known
from hpo_vs_adapt.wording import nearest

if TYPE_CHECKING:
    from hpo_vs_adapt.records.trials import Value

__all__ = ["Planned", "Published", "PublishedRow", "build_published", "stated_settings"]

_PLACE = ("workload", "arm")
_REST = ("value", "sd", "statistic", "source")


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One published value.

    Args:
        workload: Label of the workload in the study.
        arm: Name of the arm.
        settings: Settings that tell it from other rows, `batch_size` among them.
        value: What was published, in the unit of the table; None: nothing was found,
            and the study's own value stands alone.
        sd: Its standard deviation, or None.
        statistic: What it is, if not what the rest of the table is.
        source: Where it was published, if not where the whole table was.
    """

    workload: str
    arm: str
    settings: Mapping[str, Value]
    value: float | None = None
    sd: float | None = None
    statistic: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """Published values and how the study's own are made comparable.

    Args:
        source: Author, title, venue or number, table.
        rows: In the order of the table.
        statistic: What is compared, of every trial: ``final`` or ``best`` and a column
            of the curve, or ``test_metric_at_best`` (validation metric).
        percent: Whether metrics are percents of what the curves have.
        over: Setting whose best value is taken for each row, or None.
        by: ``test`` or ``validation``: by which mean final metric it is the best.
        beside: Workload of the table to the one whose results stand in the second
            column.
        beside_by: As `by`, in the second column.
        diverged: What a trial counts that has no value of its own since it diverged, in
            the unit of `statistic`; None: it is left out, and counted.
    """

    source: str
    rows: tuple[PublishedRow, ...]
    statistic: str
    percent: bool = False
    over: str | None = None
    by: str = "validation"
    beside: Mapping[str, str] | None = None
    beside_by: str = "validation"
    diverged: float | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """What the study trains, for the names in the table.

    Args:
        workloads: Labels.
        arms: By name, what an arm's settings may be; None for one without settings of
            its own, or that is wrong itself.
        settings: By arm, the settings that the study fixes or varies; those of arms
            that are wrong are missing.
        smoke: Whether rows of other workloads and arms are passed over.
    """

    workloads: Collection[str]
    arms: Mapping[str, Known | None]
    settings: Mapping[str, Collection[str]]
    smoke: bool = False


def stated_settings(
    arms: Iterable[Arm], sweeps: Iterable[Sweep]
) -> dict[str, set[str]]:
    """Return for each arm the settings that a study fixes or varies."""
    found = {}
    for arm in arms:
        found[arm.name] = {BATCH_SIZE, *arm.settings}
        if arm.tune is not None:
            found[arm.name] |= {*arm.tune.grid, *arm.tune.space}
        for sweep in sweeps:
            if arm.name in sweep.arms:
                found[arm.name] |= set(sweep.vary)
    return found


def build_published(
    schema: PublishedSchema, base: Path, planned: Planned, problems: Problems
) -> Published | None:
    """Return the published values; None if anything is wrong with them.

    Args:
        schema: As the file has it.
        base: Folder that the table's path starts at.
        planned: What the study trains.
        problems: Collects what is wrong.
    """
    before = len(problems.found)
    rows = []
    with problems.collecting():
        for place, cells in _lines(schema.table, base):
            with problems.collecting():
                row = _row(place, cells, planned)
                if row is not None:
                    rows.append(row)
    beside = _beside(schema, planned, problems)
    if schema.select is not None:
        swept = {name for names in planned.settings.values() for name in names}
        if schema.select.over not in swept and not planned.smoke:
            problems.found.append(
                f"`published.select.over`: no arm varies `{schema.select.over}`; "
                f"{nearest(schema.select.over, sorted(swept))}"
            )
    if len(problems.found) > before:
        return None
    select = schema.select
    return Published(
        source=schema.source,
        rows=tuple(rows),
        statistic=schema.statistic,
        percent=bool(schema.percent),
        over=select.over if select else None,
        by=select.by if select else "validation",
        beside=beside or None,
        beside_by=schema.beside.by if schema.beside else "validation",
        diverged=schema.diverged,
    )


def _beside(
    schema: PublishedSchema, planned: Planned, problems: Problems
) -> dict[str, str]:
    found: dict[str, str] = {}
    for first, second in (schema.beside.workloads if schema.beside else {}).items():
        with problems.collecting():
            path = f"published.beside.workloads.{first}"
            known = [
                _known(path, "workload", name, planned) for name in (first, second)
            ]
            if all(known):
                found[first] = second
    return found


def _lines(table: Any, base: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield where each row is, and its cells; empty ones are left out.

    Raises:
        FieldError: If the file cannot be read or is no table.
    """
    if not isinstance(table, str):
        for i, row in enumerate(table):
            yield f"published.table[{i}]", _stated(row)
        return
    try:
        text = read_text(base / table)
    except StudyError as error:
        raise FieldError(f"`published.table`: {error}") from None
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        _check_header(table, reader.fieldnames or ())
        for row in reader:
            place = f"{table}, line {reader.line_num}"
            if None in row or None in row.values():
                raise FieldError(f"`{place}` must have as many cells as the header.")
            yield place, _stated(row)
    except csv.Error as error:
        raise FieldError(f"`{table}` is no valid CSV: {error}.") from None


def _check_header(table: str, names: Sequence[str]) -> None:
    if not {*_PLACE, "value"} <= set(names):
        rule = "the columns workload, arm and value in its first line"
        raise FieldError(f"`{table}` must have {rule}; got {', '.join(names)!r}.")


def _stated(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: cell for name, cell in row.items() if cell not in ("", None)}


def _row(place: str, cells: Mapping[str, Any], planned: Planned) -> PublishedRow | None:
    missing = [name for name in _PLACE if name not in cells]
    if missing:
        raise FieldError(f"`{place}`: `{missing[0]}` is missing.")
    workload, arm = (str(cells[name]) for name in _PLACE)
    found = (
        _known(place, "workload", workload, planned),
        _known(place, "arm", arm, planned),
    )
    if not all(found):
        return None
    settings = {
        name: _setting(place, arm, name, cell, planned)
        for name, cell in cells.items()
        if name not in (*_PLACE, *_REST)
    }
    return PublishedRow(
        workload,
        arm,
        settings,
        value=_number(place, "value", cells),
        sd=_number(place, "sd", cells),
        statistic=_statistic(place, cells.get("statistic")),
        source=str(cells["source"]) if "source" in cells else None,
    )


def _statistic(place: str, cell: Any) -> str | None:
    if cell is not None and cell not in get_args(Statistic):
        known = ", ".join(f"`{name}`" for name in get_args(Statistic))
        raise must(f"{place}, statistic", f"one of {known}", cell)
    return cell


def _known(place: str, kind: str, name: str, planned: Planned) -> bool:
    """Whether the study has a workload or an arm; a smoke run may lack it.

    Raises:
        FieldError: If the study does not have it and should.
    """
    names = planned.workloads if kind == "workload" else planned.arms
    if name not in names and not planned.smoke:
        hint = nearest(name, sorted(names))
        raise FieldError(f"`{place}`: there is no {kind} `{name}`; {hint}")
    return name in names


def _setting(place: str, arm: str, name: str, cell: Any, planned: Planned) -> Value:
    known = planned.arms[arm]
    if arm not in planned.settings:
        return str(cell)  # the arm is wrong itself, and the study is refused for that
    if known is None:
        raise FieldError(f"`{place}`: the arm `{arm}` has no settings; leave `{name}`.")
    value = known.choice(f"{place}, {name}", name, cell)
    if name not in planned.settings[arm] and not planned.smoke:
        raise FieldError(
            f"`{place}`: the study neither fixes nor varies `{name}` of `{arm}`; "
            "add it to the arm or to a sweep, or leave the cell empty."
        )
    return value


def _number(place: str, name: str, cells: Mapping[str, Any]) -> float | None:
    if name not in cells:
        return None
    number = numeric(cells[name])
    if number is None:
        raise must(f"{place}, {name}", "a finite number", cells[name])
    return float(number)
