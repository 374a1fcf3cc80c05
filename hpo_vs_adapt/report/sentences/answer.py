"""The answer of the page: the verdict, what would change it, and what is unsure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from hpo_vs_adapt.report.sentences.changes import make_care, make_changes
from hpo_vs_adapt.report.sentences.doubts import make_doubts
from hpo_vs_adapt.report.sentences.verdict import Verdict, make_verdicts
from hpo_vs_adapt.study import Study
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


def make_answers(study: Study, tables: Mapping[str, pd.DataFrame]) -> list[Answer]:
    """Return one answer for each workload, in the order of the study.

    Every number in one is in ``summary.json`` and in a table: `bills`, `headlines`,
    `break_even`, `ranking` or `lr_numbers`; break-even trainings are rounded up.

    Args:
        study: That was run.
        tables: Of the same study, see `tables.catalogue`.
    """
    headlines = rows_of(tables["headlines"])
    verdicts = make_verdicts(study, tables)
    parts = zip(study.workloads, headlines, verdicts, strict=True)
    return [
        Answer(
            entry.name,
            verdict,
            tuple(make_changes(headline, tables)) if headline.met else (),
            make_care(tables["lr_numbers"], entry.name, entry.batch_size),
            tuple(make_doubts(study, headline, tables)),
        )
        for entry, headline, verdict in parts
    ]
