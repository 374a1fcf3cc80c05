"""The key `published` of a study: what a table may hold, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from hpo_vs_adapt.study import Study
from tests.studies import problems

STUDY: dict[str, Any] = {
    "name": "held-against",
    "workloads": ["digits_mlp", {"name": "digits_logreg", "label": "flat"}],
    "arms": [
        {"name": "sgd", "optimizer": {"rule": "sgd", "momentum": 0.9}},
        {"name": "clara", "optimizer": {"rule": "clara", "lr": 0.01}},
        {"name": "both", "any_of": ["sgd", "clara"]},
    ],
    "sensitivity": [
        {"arms": ["sgd"], "vary": {"lr": [0.1, 0.001]}},
        {"arms": ["clara"], "vary": {"lr": [0.1], "damping": [0.001, 0.01]}},
    ],
}
TABLE = [
    {"workload": "digits_mlp", "arm": "sgd", "lr": "1e-1", "value": 95.5, "sd": 0.2},
    {"workload": "flat", "arm": "clara", "value": "9e1", "source": "Table 2"},
]


def held(table: Any = TABLE, **more: Any) -> dict[str, Any]:
    published = {
        "source": "Somebody, A paper, 2025, Table 1",
        "table": table,
        "statistic": "final_test_metric",
        **more,
    }
    return {**STUDY, "published": published}


def changed_row(**cells: Any) -> dict[str, Any]:
    row = {**TABLE[0], **cells}
    return held([{name: cell for name, cell in row.items() if cell is not None}])


def test_rows_are_read_with_their_settings_as_the_rule_takes_them():
    published = Study.from_dict(held()).published
    assert published is not None
    first, second = published.rows
    assert (first.workload, first.arm) == ("digits_mlp", "sgd")
    assert dict(first.settings) == {"lr": 0.1}
    assert (first.value, first.sd, first.source) == (95.5, 0.2, None)
    assert (second.value, second.sd, second.source) == (90.0, None, "Table 2")
    assert dict(second.settings) == {}
    assert (published.percent, published.over, published.beside) == (False, None, None)


def test_a_table_beside_the_study_is_read_like_rows(tmp_path):
    (tmp_path / "table.csv").write_text(
        "workload,arm,lr,value,sd,source\n"
        "digits_mlp,sgd,1e-1,95.5,0.2,\n"
        'flat,clara,,9e1,,"Table 2"\n'
    )
    read = Study.from_dict(held("table.csv"), tmp_path).published
    assert read == Study.from_dict(held()).published


def test_a_study_without_published_values_has_none():
    assert Study.from_dict(STUDY).published is None


def test_a_row_without_a_value_is_one_for_which_nothing_was_found():
    published = Study.from_dict(changed_row(value="", sd=None)).published
    assert published is not None
    assert published.rows[0].value is None


def test_a_row_may_be_about_another_statistic():
    published = Study.from_dict(changed_row(statistic="final_lr")).published
    assert published is not None
    assert published.rows[0].statistic == "final_lr"


def test_selection_and_second_column_are_kept():
    published = Study.from_dict(
        held(
            select={"over": "damping", "by": "test"},
            beside={"workloads": {"digits_mlp": "flat"}, "by": "validation"},
            percent=True,
            diverged=10,
        )
    ).published
    assert published is not None
    assert (published.over, published.by) == ("damping", "test")
    assert dict(published.beside or {}) == {"digits_mlp": "flat"}
    assert published.beside_by == "validation"
    assert (published.percent, published.diverged) == (True, 10.0)


@pytest.mark.parametrize(
    ("study", "sentence"),
    [
        (
            changed_row(workload="digits"),
            "`published.table[0]`: there is no workload `digits`; did you mean "
            "`digits_mlp`?",
        ),
        (
            changed_row(arm="sdg"),
            "`published.table[0]`: there is no arm `sdg`; did you mean `sgd`?",
        ),
        (changed_row(arm=None), "`published.table[0]`: `arm` is missing."),
        (
            changed_row(value="high"),
            "`published.table[0], value` must be a finite number; got 'high'.",
        ),
        (
            changed_row(sd="nan"),
            "`published.table[0], sd` must be a finite number; got 'nan'.",
        ),
        (
            changed_row(lr="-1"),
            "`published.table[0], lr` must be a number > 0; got '-1'.",
        ),
        (
            changed_row(dampening=3),
            "unknown setting `published.table[0], dampening` of `sgd`; known are",
        ),
        (
            changed_row(weight_decay=0.1),
            "`published.table[0]`: the study neither fixes nor varies `weight_decay` "
            "of `sgd`; add it to the arm or to a sweep, or leave the cell empty.",
        ),
        (
            changed_row(arm="both"),
            "`published.table[0]`: the arm `both` has no settings; leave `lr`.",
        ),
        (
            changed_row(statistic="accuracy"),
            "`published.table[0], statistic` must be one of `final_test_metric`,",
        ),
        (
            held(select={"over": "beta", "by": "test"}),
            "`published.select.over`: no arm varies `beta`;",
        ),
        (
            held(select={"over": "damping", "by": "training"}),
            "`published.select.by` must be `test` or `validation`; got 'training'.",
        ),
        (
            held(beside={"workloads": {"digits_mlp": "flt"}, "by": "test"}),
            "`published.beside.workloads.digits_mlp`: there is no workload `flt`; did "
            "you mean `flat`?",
        ),
        (
            held(3),
            "`published.table` must be a CSV file beside the study, or a list of rows; "
            "got 3.",
        ),
        (
            held(statistik="x"),
            "unknown key `published.statistik`; did you mean `statistic`?",
        ),
    ],
)
def test_what_does_not_fit_the_study_is_refused(study, sentence):
    (found,) = problems(study)
    assert found.startswith(sentence), found


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "`published.table`: "),
        ("", "`table.csv` must have the columns workload, arm and value"),
        ("workload,arm\na,b\n", "`table.csv` must have the columns workload, arm and"),
        (
            "workload,arm,value\ndigits_mlp,sgd,1,2\n",
            "`table.csv, line 2` must have as many cells as the header.",
        ),
        (
            "workload,arm,value\ndigits_mlp,sgd\n",
            "`table.csv, line 2` must have as many cells as the header.",
        ),
        (
            "workload,arm,value\ndigits_mlp,sgd,1\nflat,sgd,many\n",
            "`table.csv, line 3, value` must be a finite number; got 'many'.",
        ),
        ('workload,arm,value\n"digits_mlp"x,sgd,1\n', "`table.csv` is no valid CSV: "),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, text, sentence):
    if text is not None:
        (tmp_path / "table.csv").write_text(text)
    (found,) = problems(held("table.csv"), tmp_path)
    assert found.startswith(sentence), found


def test_every_wrong_row_is_named(tmp_path: Path):
    (tmp_path / "table.csv").write_text(
        "workload,arm,value\nnone,sgd,1\ndigits_mlp,none,1\ndigits_mlp,sgd,x\n"
    )
    found = problems(held("table.csv"), tmp_path)
    assert [f"line {n}" in one for n, one in zip((2, 3, 4), found, strict=True)]
    assert len(found) == 3


def test_an_arm_that_is_wrong_itself_is_named_once():
    study = changed_row()
    wrong = {"name": "sgd", "optimizer": {"rule": "sgd", "momentum": 2}}
    study["arms"] = [wrong, *STUDY["arms"][1:]]
    found = problems({**study, "sensitivity": []})
    assert [one for one in found if "momentum" in one]
    assert not [one for one in found if "published" in one]
