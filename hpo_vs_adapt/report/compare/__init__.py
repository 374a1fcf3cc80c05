"""Reports against each other: what differs between them, beyond noise.

Everything is read from the folders of reports; no record is opened and nothing trained.
"""

from hpo_vs_adapt.report.compare.report_files import Report, ReportProblem, read_report
from hpo_vs_adapt.report.compare.reports import (
    CHANGE_COLUMNS,
    Comparison,
    compare_reports,
)

__all__ = [
    "CHANGE_COLUMNS",
    "Comparison",
    "Report",
    "ReportProblem",
    "compare_reports",
    "read_report",
]
