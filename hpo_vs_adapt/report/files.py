"""Writing a report: the page, the summary, the tables and the figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hpo_vs_adapt.records.files import write_whole
from hpo_vs_adapt.report.figures import make_drawings
from hpo_vs_adapt.report.html.page import render_page
from hpo_vs_adapt.report.summary import make_summary
from hpo_vs_adapt.tables.catalogue import Tables

__all__ = ["write_report"]


def write_report(
    tables: Tables, directory: Path, tell: Callable[[str], object] | None = None
) -> Path:
    """Write the report of a study, finished or not, and return its page.

    The directory then holds ``index.html``, ``summary.json``, ``study.yaml``,
    ``tables/*.csv`` and ``figures/*.svg``. Each file is replaced as a whole, the page
    last, so that a reader never sees half of one; equal results give equal bytes. Other
    files in the directory are left alone.

    Args:
        tables: Of the study.
        directory: Made if it is not there.
        tell: Called with what is made next, such as ``figures of digits_mlp``.

    Raises:
        FileProblem: If a file of it cannot be written.
    """
    tell = tell or _tell_nobody
    study = tables.given.study
    tell("tables")
    files = dict(_csv_files(tables))
    drawings = make_drawings(study, tables, tell)
    tell("page")
    files |= {f"figures/{drawing.name}.svg": drawing.svg for drawing in drawings}
    for name, text in files.items():
        write_whole(directory / name, text)
    write_whole(directory / "study.yaml", study.shown_text)
    write_whole(directory / "summary.json", _in_lines(make_summary(tables)))
    page = directory / "index.html"
    write_whole(page, render_page(tables, drawings))
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


def _csv_files(tables: Tables) -> Iterator[tuple[str, str]]:
    for name, table in tables.items():
        yield f"tables/{name}.csv", table.to_csv(index=False, lineterminator="\n")
