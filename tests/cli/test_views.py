from io import StringIO
from typing import Any

import pandas as pd
from rich.console import Console, RenderableType

from hpo_vs_adapt.cli.views import arms_view, plan_view, status_view
from hpo_vs_adapt.run import PlanRow, PlanSummary
from hpo_vs_adapt.wording import UNKNOWN

NOTHING = {"expected": None, "low": None, "high": None}

SUMMARY: dict[str, Any] = {
    "unit": "sample gradients",
    "workloads": [{"name": "digits"}, {"name": "wine"}],
    "arms": [
        {
            "workload": "digits",
            "arm": "sgd[grid]",
            "kind": "tuned",
            "trials": 15,
            "hits": 6,
            "failures": 1,
            "bill": {"expected": 1.9e6, "low": 1.2e6, "high": 3.1e6},
            "cost_per_run": {"expected": 21000.0, "low": 1.9e4, "high": 2.3e4},
            "best_metric": 0.97561,
            "first_probability": 0.04,
        },
        {
            "workload": "wine",
            "arm": "tlr",
            "kind": "adaptive",
            "trials": 3,
            "hits": 0,
            "failures": 0,
            "bill": NOTHING,
            "cost_per_run": NOTHING,
            "best_metric": None,
            "first_probability": None,
        },
    ],
}


def shown(view: RenderableType, width: int = 120) -> list[list[str]]:
    console = Console(file=StringIO(), width=width)
    console.print(view)
    assert isinstance(console.file, StringIO)
    return [line.split("  ") for line in console.file.getvalue().splitlines()]


def cells(rows: list[list[str]], first: str) -> list[str]:
    (row,) = [row for row in rows if row[0] == first]
    return [cell.strip() for cell in row if cell.strip()]


def test_arms_are_shown_by_workload_with_counts_bills_and_chances():
    rows = shown(arms_view(SUMMARY, 120))
    assert rows[0] == ["digits"]
    assert cells(rows, "sgd[grid]") == [
        "sgd[grid]",
        "tuned",
        *("15", "6", "1"),
        *("1.9 M", "[1.2 M, 3.1 M]", "21 k"),
        *("0.976", "0.04"),
    ]


def test_an_arm_that_never_met_its_target_has_dashes_and_is_not_dropped():
    row = cells(shown(arms_view(SUMMARY, 120)), "tlr")
    assert row == ["tlr", "adaptive", "3", "0", "0", *[UNKNOWN] * 4]


def test_a_narrow_terminal_drops_intervals_rather_than_letters():
    wide, narrow = (shown(arms_view(SUMMARY, width), width) for width in (120, 80))
    assert "[1.2 M, 3.1 M]" in cells(wide, "sgd[grid]")
    row = cells(narrow, "sgd[grid]")
    assert "[1.2 M, 3.1 M]" not in row
    assert row[-4:] == ["1.9 M", "21 k", "0.976", "0.04"]


def test_a_plan_says_what_is_missing_and_what_it_takes():
    rows = [PlanRow("digits", "tlr", "policy", 5, 2)]
    missing = shown(plan_view(PlanSummary(rows, 5, 2, 1, 66000.0, 95.0)))
    assert cells(missing, "digits") == ["digits", "tlr", "policy", "5", "2", "3"]
    text = "\n".join("  ".join(line) for line in missing)
    assert "5 trials planned, 2 found on disk, 3 missing." in text
    assert "66 k sample gradients and 1:35 of computing." in text


def test_a_plan_without_records_says_that_no_time_is_known():
    rows = [PlanRow("digits", "tlr", "policy", 5, 0)]
    lines = shown(plan_view(PlanSummary(rows, 5, 0, 1, 66000.0, None)), 200)
    assert "nothing is on disk from which to tell the time" in lines[-1][0]


def test_a_status_counts_how_trials_ended_by_arm_and_role():
    place = {"workload": "digits", "arm": "tlr"}
    progress = pd.DataFrame(
        [
            {**place, "role": "policy", "planned": 4, "done": 3},
            {**place, "role": "sweep", "planned": 9, "done": 0},
        ]
    )
    ends = ["budget", "diverged", "crashed"]
    records = pd.DataFrame([{**place, "role": "policy", "end": end} for end in ends])
    running = {("digits", "tlr", "sweep"): 2}
    rows = shown(status_view(progress, records, running))
    assert [cell.strip() for cell in rows[1] if cell.strip()][3:] == list("430111")
    assert [cell.strip() for cell in rows[2] if cell.strip()][3:] == list("902900")
    ends = "2 running, 10 missing, 1 diverged, 1 crashed."
    assert rows[-1] == [f"3 of 13 trials done, {ends}"]
