"""The report of a study: sentences, tables and figures, in one page and as files."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo_vs_adapt.report.analyses import Analyses, make_analyses
    from hpo_vs_adapt.report.files import write_report
    from hpo_vs_adapt.report.gallery import Drawing, make_drawings
    from hpo_vs_adapt.report.summary import make_summary
    from hpo_vs_adapt.report.tables import Tables, make_tables
    from hpo_vs_adapt.report.verdict import Verdict, verdicts

__all__ = [
    "Analyses",
    "Drawing",
    "Tables",
    "Verdict",
    "make_analyses",
    "make_drawings",
    "make_summary",
    "make_tables",
    "verdicts",
    "write_report",
]

_HOMES = {
    "Analyses": "analyses",
    "Drawing": "gallery",
    "Tables": "tables",
    "Verdict": "verdict",
    "make_analyses": "analyses",
    "make_drawings": "gallery",
    "make_summary": "summary",
    "make_tables": "tables",
    "verdicts": "verdict",
    "write_report": "files",
}


def __getattr__(name: str) -> Any:
    # On demand: the live view needs its words, and not the drawing beside them.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
