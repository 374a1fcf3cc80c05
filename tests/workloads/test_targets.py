import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from hpo_vs_adapt.workloads import WORKLOADS
from hpo_vs_adapt.workloads.targets import (
    RULES,
    Budget,
    Samples,
    TunedRule,
    find_target,
    main,
    train,
    tune,
)

SGD, SGD_COSINE, ADAM, ADAM_COSINE = RULES


def test_the_target_is_the_median_over_rules_rounded_down():
    # The median of .91, .93, .958 and .99 is .944; all further runs reach .94.
    assert find_target([0.99, 0.91, 0.958, 0.93], [0.95] * 6, 1000) == 0.94


def test_a_median_of_whole_hundredths_stays():
    for hundredths in range(50, 100):
        value = hundredths / 100
        assert find_target([value], [value] * 3, 1000) == value


def test_the_target_is_lowered_until_two_thirds_of_the_further_runs_reach_it():
    further = [0.95, 0.93, 0.92, 0.915, 0.90, 0.2]
    assert find_target([0.96], further, 1000) == 0.91


def test_the_target_leaves_one_validation_sample_to_spare():
    # 29 of 30 are .9667.
    assert find_target([1.0, 1.0], [1.0] * 6, 30) == 0.96


def test_a_rule_is_tuned_to_its_best_rate():
    workload = WORKLOADS["iris_logreg"]()
    rule = TunedRule("sgd", (1e-9, 0.05, 1e-8))
    assert tune(workload, Samples.of(workload), rule, Budget(3, 1, 1)) == 0.05


def test_fewer_points_are_those_in_the_middle_of_the_grid():
    workload = WORKLOADS["iris_logreg"]()
    rule = TunedRule("sgd", (0.1, 1e-9, 0.05))
    assert tune(workload, Samples.of(workload), rule, Budget(1, 1, 1)) == 1e-9


def test_training_follows_its_seed_and_leaves_the_global_generator_alone():
    workload = WORKLOADS["breast_cancer_logreg"]()
    samples = Samples.of(workload)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    runs = [train(workload, samples, ADAM_COSINE, 1e-4, seed) for seed in (0, 0, 1)]
    assert torch.equal(torch.rand(1), expected)
    assert runs[0] == runs[1] != runs[2]


def test_the_test_samples_have_no_part_in_it():
    workload = WORKLOADS["wine_logreg"]()
    data, samples = workload.dataset(), Samples.of(workload)
    np.testing.assert_array_equal(samples.x, data.x[data.train])
    np.testing.assert_array_equal(samples.validation_x, data.x[data.validation])


@pytest.mark.slow
def test_the_command_writes_out_the_target_and_where_it_comes_from(capsys):
    arguments = ["wine_logreg", "--points", "1", "--tuning-seeds", "1", "--seeds", "1"]
    main(arguments)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:4]] == [rule.name for rule in RULES]
    assert re.fullmatch(
        r"wine_logreg: target 0\.\d\d, from a median over rules of [01]\.\d{4}; "
        "[34] of 4 further runs reach it",
        lines[4],
    )
    command = [sys.executable, "-m", "hpo_vs_adapt.workloads.targets", *arguments]
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert again.stdout.splitlines() == lines


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rule", "lr"),
    [
        ("digits_mlp", SGD, 0.3),
        ("digits_logreg", SGD, 0.1),
        ("breast_cancer_logreg", ADAM, 0.003),
        ("iris_logreg", ADAM, 0.03),
        ("wine_logreg", ADAM, 0.1),
        ("mnist1d_mlp", SGD_COSINE, 0.3),
    ],
)
def test_a_tuned_rule_mostly_reaches_the_target_with_seeds_of_no_part_in_it(
    name, rule, lr
):
    workload = WORKLOADS[name]()
    samples = Samples.of(workload)
    runs = [train(workload, samples, rule, lr, seed) for seed in (101, 102, 103)]
    assert np.median(runs) >= workload.target
