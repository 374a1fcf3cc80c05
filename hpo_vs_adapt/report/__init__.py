"""The report of a study: sentences, tables and figures, in one page and as files."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo_vs_adapt.report.figures import Drawing, make_drawings
    from hpo_vs_adapt.report.files import write_report
    from hpo_vs_adapt.report.sentences.verdict import Verdict, make_verdicts
    from hpo_vs_adapt.report.summary import make_summary

__all__ = [
    "Drawing",
    "Verdict",
    "make_drawings",
    "make_summary",
    "make_verdicts",
    "write_report",
]

_HOMES = {
    "Drawing": "figures",
    "Verdict": "sentences.verdict",
    "make_drawings": "figures",
    "make_summary": "summary",
    "make_verdicts": "sentences.verdict",
    "write_report": "files",
}


def __getattr__(name: str) -> Any:
    # On demand: the live view needs its words, and not the drawing beside them.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
