import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hpo_vs_adapt.study import Study, StudyError
from tests.studies import changed, problems

USER_WORKLOAD = """\
import numpy as np
from torch import nn

from hpo_vs_adapt.workloads import Arrays, Metric, Workload


class Line(Workload):
    target = 0.5
    epochs = 3
    metric = Metric("error", "min", low=0.0)

    def load(self, data):
        return Arrays(np.zeros((9, 1)), np.zeros(9))

    def model(self):
        return nn.Linear(1, 1)
"""


def study_with_workload(reference: str, **more: Any) -> dict[str, Any]:
    return changed("workloads", [{"name": reference, **more}])


def test_a_workload_file_beside_the_study_is_found_and_labelled_by_its_class(tmp_path):
    (tmp_path / "mine.py").write_text(USER_WORKLOAD)
    (entry,) = Study.from_dict(study_with_workload("mine.py:Line"), tmp_path).workloads
    assert (entry.name, entry.reference) == ("Line", "mine.py:Line")
    assert (entry.target, entry.epochs, entry.metric.mode) == (0.5, 3.0, "min")


def test_a_target_below_a_one_sided_range_is_refused(tmp_path):
    (tmp_path / "mine.py").write_text(USER_WORKLOAD)
    (found,) = problems(study_with_workload("mine.py:Line", target=-1), tmp_path)
    assert found == (
        "`workloads[0].target` must be at least 0, the range of the error; got -1.0."
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import nothing_of_that_name\n", "nothing_of_that_name"),
        ("def f(:\n", "SyntaxError"),
        ("Lime = 3\n", "Line"),
        ("class Line:\n    pass\n", "Workload"),
        (USER_WORKLOAD.replace("    target = 0.5\n", ""), "target"),
    ],
)
def test_a_workload_that_cannot_be_used_is_a_problem_with_its_reason(
    tmp_path, text, words
):
    (tmp_path / "mine.py").write_text(text)
    (found,) = problems(study_with_workload("mine.py:Line"), tmp_path)
    assert found.startswith("`workloads[0].name`: ")
    assert words in found


def test_a_workload_file_that_is_missing_is_a_problem(tmp_path):
    (found,) = problems(study_with_workload("gone.py:Line"), tmp_path)
    assert "gone.py" in found


def yaml_problem(tmp_path: Path, text: str) -> str:
    file = tmp_path / "s.yaml"
    file.write_text(text)
    with pytest.raises(StudyError) as caught:
        Study.from_yaml(file)
    (found,) = caught.value.problems
    return found


def test_yaml_that_does_not_parse_is_named_with_its_line(tmp_path):
    found = yaml_problem(tmp_path, "name: s\narms: [\n")
    assert found.startswith("line 3, column 1: this is no valid YAML: ")


def test_a_key_given_twice_is_refused_with_both_lines(tmp_path):
    found = yaml_problem(tmp_path, "name: s\nseeds: [1]\nname: t\n")
    assert found == (
        "line 3, column 1: this is no valid YAML: the key `name` is given twice, the "
        "first time on line 1."
    )


def test_merged_yaml_mappings_are_no_keys_given_twice(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text(
        "name: s\n"
        "workloads: [digits_mlp]\n"
        "arms:\n"
        "  - {name: a, optimizer: &sgd {rule: sgd, lr: 0.1}}\n"
        "  - {name: b, optimizer: {<<: *sgd, lr: 0.2}}\n"
    )
    assert [arm.settings["lr"] for arm in Study.from_yaml(file).arms] == [0.1, 0.2]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "",
            "a study must be a mapping with `name`, `workloads` and `arms`; got n",
        ),
        (
            "- a\n",
            "a study must be a mapping with `name`, `workloads` and `arms`; got a l",
        ),
        ("name: 2026-13-45\n", "this is no valid YAML: "),
        ("name: !!int x\n", "this is no valid YAML: "),
        ("name: !!bool x\n", "this is no valid YAML: "),
        (
            "name: !!python/name:os.system\n",
            "line 1, column 7: this is no valid YAML: ",
        ),
        ("? [a]\n: 1\n", "line 1, column 3: this is no valid YAML: "),
        ("a: 1\n---\nb: 2\n", "line 2, column 1: this is no valid YAML: "),
        ("a: \x00", "this is no valid YAML: "),
        ("[" * 5000, "this is no valid YAML: "),
    ],
)
def test_text_that_is_no_study_is_refused_in_one_sentence(tmp_path, text, sentence):
    found = yaml_problem(tmp_path, text)
    assert found.startswith(sentence), found
    assert "\n" not in found


def test_a_missing_file_is_named_with_what_lies_beside_it(tmp_path):
    (tmp_path / "quickstart.yaml").write_text("")
    file = tmp_path / "quikstart.yaml"
    with pytest.raises(StudyError) as caught:
        Study.from_yaml(file)
    assert str(caught.value) == (
        f"{file}: there is no such file; {tmp_path} has quickstart.yaml."
    )


def test_a_folder_is_no_study(tmp_path):
    with pytest.raises(StudyError, match=r"must be a file; this is a directory\."):
        Study.from_yaml(tmp_path)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_bytes(b"name: \xff\xfe")
    with pytest.raises(StudyError, match="must be text in UTF-8"):
        Study.from_yaml(file)


@pytest.mark.slow
def test_a_file_that_may_not_be_read_is_refused_with_the_reason(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("name: s\n")
    file.chmod(0)
    code = (
        "import os, sys\n"
        "from hpo_vs_adapt.study import Study, StudyError\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"  # root reads everything
        "try: Study.from_yaml(sys.argv[1])\n"
        "except StudyError as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(file)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == f"{file}: the file cannot be read: Permission denied.\n"
