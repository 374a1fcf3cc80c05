"""The report of a study: sentences, tables and figures, in one page and as files."""

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
