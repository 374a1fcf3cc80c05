"""Comparing reports with the first of them, number by number."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd

from hpo_vs_adapt.metrics import arm_bills
from hpo_vs_adapt.report.compare.arm_trials import (
    ArmTrials,
    PairedBounds,
    Place,
    arm_trials,
    paired_bounds,
)
from hpo_vs_adapt.report.compare.changes import (
    Change,
    best_change,
    bill_change,
    hits_change,
    run_change,
)
from hpo_vs_adapt.report.compare.definitions import Note, make_notes
from hpo_vs_adapt.report.compare.findings import (
    CONFIDENCE,
    QUIET,
    Compared,
    Finding,
    find,
)
from hpo_vs_adapt.report.compare.report_files import Report, ReportProblem
from hpo_vs_adapt.report.compare.verdicts import make_verdict

__all__ = ["CHANGE_COLUMNS", "FIRST_COLUMNS", "Comparison", "compare_reports"]

CHANGE_COLUMNS = (
    "report",  # what the other report is called; the first one is A
    "workload",
    "arm",
    "quantity",  # bill; per run; best; hits: share of passes that met the target
    "first",  # in A; NaN: never met
    "other",
    "change",  # ratio of costs, difference of the rest; NaN where it is not known
    "low",  # interval at 95 %, by itself
    "high",
    "all_low",  # the same, so wide that those of all rows hold together
    "all_high",
    "paired",  # seeds or streams that the interval is paired by; 0: independent
    "shared",  # trials behind the number that are one record in both
    "finding",  # see `findings.Finding`
    "shown",  # to those who look for differences
    "verdict",
)
"""Columns of `Comparison.changes`."""

FIRST_COLUMNS = ("report", "workload", "arm", "bill", "first_probability")
"""Columns of `Comparison.firsts`."""


@dataclass(frozen=True)
class Comparison:
    """What differs between reports.

    Args:
        reports: By what they are called: A is what the others are compared with.
        notes: What to know before the numbers are, of every report but A.
        changes: Columns `CHANGE_COLUMNS`, in the order of the reports and of A's arms.
        firsts: The arm with the least bill of each report and workload, columns
            `FIRST_COLUMNS`; none where no arm met the target.
        tested: How many comparisons could tell a difference from noise.
    """

    reports: dict[str, Report]
    notes: dict[str, list[Note]]
    changes: pd.DataFrame
    firsts: pd.DataFrame
    tested: int

    def count(self, finding: Finding) -> int:
        """Return how many comparisons came to something."""
        return int((self.changes["finding"] == finding).sum())


def compare_reports(reports: Sequence[Report]) -> Comparison:
    """Return what differs between the first report and each of the others.

    All numbers are computed from the trials of the reports. A comparison by itself has
    an interval at 95 %, so one in twenty that compares equals finds a difference. Of N
    that can be tested, those whose interval at ``1 - 0.05 / N`` leaves out "no change"
    differ with all of them counted: the probability that any of these is chance is at
    most 5 % (Bonferroni). Trials that are one record in both reports are not tested.

    Of 300 simulated arms each, with 3, 5 or 10 seeds, that differed by luck alone, the
    intervals at 95 % found a difference in 0 to 8 % of bills, paired or not, 2 to 7 %
    of best metrics and 1 to 7 % of hits: with few seeds that miss, they are too wide.

    Args:
        reports: From 2 to 26, with costs in the same unit.

    Raises:
        ReportProblem: If there are fewer or more, their units differ, or the trials of
            one have impossible costs.

    Dunn, "Multiple comparisons among means", JASA 56, 1961.
    """
    letters = string.ascii_uppercase
    if not 2 <= len(reports) <= len(letters):
        raise ReportProblem(
            f"`REPORT` must be given 2 to {len(letters)} times; got {len(reports)}."
        )
    first, *others = reports
    for other in others:
        if other.unit != first.unit:
            raise ReportProblem(
                f"`unit` must be the same in all reports; got {first.unit!r} in "
                f"{first.folder} and {other.unit!r} in {other.folder}."
            )
    named = dict(zip(letters, reports, strict=False))
    try:
        compared = {
            name: list(_compared(first, other))
            for name, other in list(named.items())[1:]
        }
    except ValueError as error:  # the metrics' word for numbers that cannot be
        raise ReportProblem(
            f"The reports' trials cannot be compared: {error}"
        ) from error
    tested = sum(one.tested for rows in compared.values() for one in rows)
    return Comparison(
        reports=named,
        notes={
            name: make_notes(first, named[name], (letters[0], name))
            for name in compared
        },
        changes=_table(compared, 1 - (1 - CONFIDENCE) / max(1, tested)),
        firsts=pd.concat(
            [_firsts(name, report) for name, report in named.items()],
            ignore_index=True,
        ),
        tested=tested,
    )


def _compared(first: Report, other: Report) -> Iterator[Compared]:
    """Return every number that both reports have."""
    ours, theirs = (arm_trials(one.trials, _modes(one)) for one in (first, other))
    bills = paired_bounds(first.trials, other.trials)
    runs = paired_bounds(first.trials, other.trials, "retrain")
    for place in first.arms:
        if place not in ours or place not in theirs:
            continue  # no trial yet, or no such arm: `make_notes` says so
        workload, arm = place
        one, two = first.workloads[workload], other.workloads[workload]
        for change, role in _changes(place, ours[place], theirs[place], bills, runs):
            keys, other_keys = ours[place].keys[role], theirs[place].keys[role]
            yield Compared(
                workload=workload,
                arm=arm,
                change=change,
                mode=one["mode"],
                shared=len(keys & other_keys),
                same=keys == other_keys,
                same_target=one["target"] == two["target"],
                same_metric=all(one[key] == two[key] for key in ("metric", "mode")),
            )


def _changes(
    place: Place,
    first: ArmTrials,
    other: ArmTrials,
    bills: PairedBounds,
    runs: PairedBounds,
) -> Iterator[tuple[Change, str]]:
    """Return the changes of an arm, each with the role of the trials behind it."""
    yield bill_change(first, other, partial(bills, place)), "policy"
    # An arm without `tune` has no retrains: its bill is what a run costs.
    if len(first.runs) and len(other.runs):
        yield run_change(first, other, partial(runs, place)), "retrain"
    yield best_change(first, other), "policy"
    yield hits_change(first, other), "policy"


def _table(compared: dict[str, list[Compared]], together: float) -> pd.DataFrame:
    rows = []
    for name, ones in compared.items():
        for one in ones:
            finding = find(one, together)
            alone, wide = one.interval(CONFIDENCE), one.interval(together)
            change = one.change
            rows.append(
                (
                    *(name, one.workload, one.arm, change.quantity),
                    *(change.first, change.other, change.change),
                    *(alone.low, alone.high, wide.low, wide.high),
                    *(change.paired, one.shared, finding.value, finding not in QUIET),
                    make_verdict(one, finding, ("A", name)),
                )
            )
    table = pd.DataFrame(rows, columns=list(CHANGE_COLUMNS))
    return table.assign(shown=table["shown"] | _beside_one_sided(table))


def _beside_one_sided(table: pd.DataFrame) -> pd.Series[bool]:
    """Return which rows tell how sure it is that a target is met no more, or now."""
    one_sided = table["finding"].isin([Finding.GONE, Finding.NEW])
    place = [table["report"], table["workload"], table["arm"]]
    return one_sided.groupby(place).transform("any") & (table["quantity"] == "hits")


def _firsts(name: str, report: Report) -> pd.DataFrame:
    bills = arm_bills(report.trials, report.progress, modes=_modes(report))
    met = bills[bills["bill"].notna()].sort_values("bill", kind="stable")
    least = met.drop_duplicates("workload").assign(report=name)
    return least[list(FIRST_COLUMNS)]


def _modes(report: Report) -> dict[str, str]:
    return {name: facts["mode"] for name, facts in report.workloads.items()}
