"""Writing a report: the page, the summary, the tables and the figures."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hpo_vs_adapt.records.files import write_whole
from hpo_vs_adapt.report.figures import Drawing, make_drawings
from hpo_vs_adapt.report.html.page import render_page
from hpo_vs_adapt.report.sentences.verdict import make_verdicts
from hpo_vs_adapt.report.summary import summarise
from hpo_vs_adapt.tables.analyses import Analyses, make_analyses
from hpo_vs_adapt.tables.catalogue import Tables, make_tables
from hpo_vs_adapt.tables.study_tables import StudyTables

__all__ = ["write_report"]


def write_report(
    given: StudyTables, directory: Path, tell: Callable[[str], object] | None = None
) -> Path:
    """Write the report of a study, finished or not, and return its page.

    The directory then holds ``index.html``, ``summary.json``, ``study.yaml``,
    ``tables/*.csv`` and ``figures/*.svg``. Each file is replaced as a whole, the page
    last, so that a reader never sees half of one; equal results give equal bytes. Other
    files in the directory are left alone.

    Args:
        given: Of the study.
        directory: Made if it is not there.
        tell: Called with what is made next, such as ``figures of digits_mlp``.

    Raises:
        FileProblem: If a file of it cannot be written.
    """
    tell = tell or _tell_nobody
    directory = Path(directory)
    tell("tables")
    tables = make_tables(given)
    tell("analyses")
    analyses = make_analyses(given, tables.bills, tables.sensitivity)
    verdicts = make_verdicts(given, tables.bills, analyses.headlines)
    drawings = make_drawings(given.study, tables, analyses, tell)
    tell("page")
    summary = summarise(given, tables.bills, analyses, verdicts)
    for name, text in _parts([tables, analyses], drawings):
        write_whole(directory / name, text)
    write_whole(directory / "study.yaml", given.study.text)
    write_whole(directory / "summary.json", _in_lines(summary))
    page = directory / "index.html"
    write_whole(page, render_page(given, tables, analyses, verdicts, drawings))
    return page


def _in_lines(summary: dict[str, Any]) -> str:
    """Return it as JSON with a line for each part, and for each row of a table."""
    parts = []
    for name, part in summary.items():
        rows = part if isinstance(part, list) else []
        text = ",\n".join(f"    {_json(row)}" for row in rows)
        value = f"[\n{text}\n  ]" if rows else _json(part)
        parts.append(f"  {_json(name)}: {value}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def _tell_nobody(_: str) -> None: ...


def _parts(
    groups: list[Tables | Analyses], drawings: list[Drawing]
) -> Iterator[tuple[str, str]]:
    for tables in groups:
        for field in dataclasses.fields(tables):
            table = getattr(tables, field.name)
            if table is not None:
                text = table.to_csv(index=False, lineterminator="\n")
                yield f"tables/{field.name}.csv", text
    for drawing in drawings:
        yield f"figures/{drawing.name}.svg", drawing.svg
