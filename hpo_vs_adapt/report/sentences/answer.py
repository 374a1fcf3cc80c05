"""The answer of the page: the verdict, what would change it, and what is unsure."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from hpo_vs_adapt.report.sentences.changes import make_care, make_changes
from hpo_vs_adapt.report.sentences.doubts import make_doubts
from hpo_vs_adapt.report.sentences.verdict import Verdict
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.tables.analyses import Analyses
from hpo_vs_adapt.tables.rows import rows_of

__all__ = ["Answer", "make_answers"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the page says first of a workload.

    Args:
        workload: Label in the study.
        verdict: Who is cheapest, or who may be.
        changes: What would change it: a heading and a sentence each.
        care: How careful to be with the learning rate; empty: it was not swept.
        doubts: What is missing or unsure, in sentences.
    """

    workload: str
    verdict: Verdict
    changes: tuple[tuple[str, str], ...]
    care: str
    doubts: tuple[str, ...]


def make_answers(
    study: Study, bills: pd.DataFrame, analyses: Analyses, verdicts: list[Verdict]
) -> list[Answer]:
    """Return one answer for each workload, in the order of the study.

    Every number in one is in ``summary.json`` and in a table: `bills`, or `headlines`,
    `break_even`, `ranking` and `lr_numbers` of the analyses; break-even trainings are
    rounded up.

    Args:
        study: That was run.
        bills: Columns `bills.BILL_COLUMNS`.
        analyses: Of the same study.
        verdicts: From `make_verdicts`, one a workload.
    """
    headlines = rows_of(analyses.headlines)
    parts = zip(study.workloads, headlines, verdicts, strict=True)
    return [
        Answer(
            entry.name,
            verdict,
            tuple(make_changes(headline, analyses)) if headline.met else (),
            make_care(analyses.lr_numbers, entry.name, entry.batch_size),
            tuple(
                make_doubts(
                    study, headline, bills[bills["workload"] == entry.name], analyses
                )
            ),
        )
        for entry, headline, verdict in parts
    ]
