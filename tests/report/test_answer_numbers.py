"""Every number of the answer: in summary.json, in a CSV, and counted again."""

import functools
import re

import pytest

from hpo_vs_adapt.run import load_results
from tests.report.answers.attribution import Answered
from tests.report.answers.studies import VARIANTS, varied
from tests.running import ray_here, train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """Return a function that makes the report of a variant, once."""
    folder = tmp_path_factory.mktemp("answered")
    with ray_here():
        train(varied(folder, "all"))

    @functools.cache
    def made(name):
        return Answered(load_results(varied(folder, name)), folder / name)

    return made


TOLD = {
    "all": {
        *("bill", "bill_low", "pass_hits", "first_probability", "best_metric"),
        *("tuned_ratio", "runs", "runs_full_plan", "fraction", "workers", "failing"),
        *(
            "missed",
            "calibration",
            "defaults_trials",
            "hit_decades",
            "challenger_seeds",
        ),
        *("score", "mean_ratio", "solved", "candidates", "target"),
    },
    "unfinished": {"trials", "planned", "unfinished"},
    "shared": {"tied", "reference_ratio", "failures"},
    "tuned-first": {"untuned_ratio"},
    "space": {"space_trials"},
    "untuned": {"next_ratio"},
    "alone": {"bill", "missed"},
    "one-arm": {"bill", "pass_hits"},
    "one-seed": {"bill", "passes", "candidates"},
}
"""What the answers of the variants tell, among other things."""


@pytest.mark.parametrize("name", VARIANTS)
def test_every_number_is_in_the_summary_in_a_table_and_in_the_records(answered, name):
    report = answered(name)
    fields = {claim.field for claim in report.check(report.page)}
    assert fields >= TOLD[name]


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        (r"\d+ of (\d+ passes met it)", r"9 of \1"),
        (r"\d+(\.\d+)?( k sample gradients)", r"77\2"),
        (r"costs \d+(\.\d+)? times", "costs 1.2 times"),
        (r"met it, P\(first\) \d", r"met it, P(first) 9"),
        ("What would change it", "3 things would change it"),
        (r"(<ul class=\"doubts\">)", r"\1<li>It took 7 days.</li>"),
    ],
)
def test_a_number_that_is_wrong_or_new_is_noticed(answered, said, instead):
    report = answered("all")
    at = report.page.index('<section id="answer"')
    head, answer = report.page[:at], report.page[at:]
    other, times = re.subn(said, instead, answer, count=1)
    assert times == 1
    with pytest.raises(AssertionError):
        report.check(head + other)
