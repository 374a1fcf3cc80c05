"""What settings may be, how they are read, and how lanes stack."""

import math
import pickle

import pytest
import torch

from hpo_vs_adapt.optim import (
    RULES,
    SettingProblem,
    build_rule,
    check_settings,
    coerce_setting,
)
from hpo_vs_adapt.optim.base import Run, Setting, stack_settings


@pytest.mark.parametrize("name", RULES)
def test_defaults_are_allowed_and_documented(name):
    rule = RULES[name]
    for setting in rule.settings.values():
        assert setting.accepts(setting.default)
        assert setting.doc
    check_settings(rule, {})
    assert rule.reference
    assert rule.adapts in {"nothing", "rate", "momentum", "schedule"}


@pytest.mark.parametrize(
    ("rule", "name", "value", "expected"),
    [
        ("sgd", "lr", -1, "a number > 0"),
        ("sgd", "lr", 0, "a number > 0"),
        ("sgd", "lr", math.nan, "a number > 0"),
        ("sgd", "lr", math.inf, "a number > 0"),
        ("sgd", "lr", "fast", "a number > 0"),
        ("sgd", "lr", "nan", "a number > 0"),
        ("sgd", "lr", True, "a number > 0"),
        ("sgd", "lr", None, "a number > 0"),
        ("sgd", "lr", [0.1, 0.2], "a number > 0"),
        ("sgd", "momentum", 1, "a number >= 0 and < 1"),
        ("sgd", "nesterov", 1, "false or true"),
        ("sgd", "nesterov", "yes", "false or true"),
        ("sgd", "schedule", "cosin", "'constant', 'cosine' or 'multistep'"),
        ("adam", "betas", 0.9, "a list of 2 numbers >= 0 and < 1"),
        ("adam", "betas", [0.9], "a list of 2 numbers >= 0 and < 1"),
        ("adam", "betas", [0.9, 1.0], "a list of 2 numbers >= 0 and < 1"),
        ("adam", "betas", [[0.9], 0.9], "a list of 2 numbers >= 0 and < 1"),
        (
            "clara",
            "damping",
            "slow",
            "a number >= 0, 'auto', 'sigma' or 'published_sigma'",
        ),
        ("clara", "mu", 0, "a number > 0 and <= 1, 'table' or null"),
        ("tlr", "every", 2.5, "an integer >= 1"),
        ("tlr", "every", 0, "an integer >= 1"),
        ("tlr", "preset", "text", "'paper', 'code_defaults', 'code_exact' or null"),
    ],
)
def test_a_wrong_value_is_refused_with_the_rule(rule, name, value, expected):
    with pytest.raises(SettingProblem) as caught:
        check_settings(RULES[rule], {name: value})
    assert caught.value.name == name
    assert caught.value.rule == expected
    assert caught.value.value is value
    assert str(caught.value) == f"`{name}` must be {expected}; got {value!r}."


def test_an_unknown_setting_is_refused_with_the_nearest_name():
    with pytest.raises(SettingProblem) as caught:
        check_settings(RULES["sgd"], {"momentun": 0.9})
    assert caught.value.nearest == "momentum"
    assert caught.value.unknown
    assert "Did you mean `momentum`?" in str(caught.value)
    with pytest.raises(SettingProblem) as caught:
        check_settings(RULES["sgd"], {"zzz": 0.9})
    assert caught.value.nearest is None


def test_a_problem_survives_the_way_between_processes():
    problem = SettingProblem("lr", -1, "a number > 0")
    again = pickle.loads(pickle.dumps(problem))
    assert (str(again), again.name, again.value) == (str(problem), "lr", -1)


@pytest.mark.parametrize(
    ("rule", "name", "value", "expected"),
    [
        ("sgd", "lr", "1e-3", 0.001),
        ("sgd", "lr", 1, 1),
        ("tlr", "every", "1e2", 100),
        ("tlr", "every", 20.0, 20),
        ("adam", "betas", ["9e-1", 0.99], (0.9, 0.99)),
        ("clara", "damping", "auto", "auto"),
        ("clara", "damping", "1e-3", 0.001),
        ("clara", "mu", None, None),
        ("sgd", "schedule", "cosine", "cosine"),
        ("sgd", "lr", "fast", "fast"),
    ],
)
def test_values_are_read_as_the_setting_takes_them(rule, name, value, expected):
    read = coerce_setting(RULES[rule].settings[name], value)
    assert read == expected
    assert type(read) is type(expected)


def test_text_that_is_a_number_trains_like_the_number():
    rule = build_rule(RULES["sgd"], [{"lr": "1e-3"}, {"lr": 1e-3}], Run(1, 1))
    assert torch.equal(rule.number("lr"), torch.tensor([[1e-3], [1e-3]]))


def test_numbers_differ_between_lanes_and_words_do_not():
    known = RULES["clara"].settings
    stacked = stack_settings(
        [{"damping": 0.1, "lr": 1.0}, {"damping": 1, "c": 0.5}], known, torch.float64
    )
    assert stacked["damping"].tolist() == [[0.1], [1.0]]
    assert stacked["lr"].tolist() == [[1.0], [1e-3]]
    assert stacked["c"].tolist() == [[0.2], [0.5]]
    assert stacked["lr"].dtype == torch.float64
    words = stack_settings([{"base": "adam"}] * 2, known)
    assert (words["damping"], words["base"], words["mu"]) == ("auto", "adam", None)
    assert words["betas"] == (0.9, 0.999)
    for first, second in [
        ({"damping": "auto"}, {"damping": 0.1}),
        ({"mu": None}, {"mu": 0.5}),
        ({"base": "sgd"}, {"base": "adam"}),
        ({"unit_step": True}, {}),
    ]:
        with pytest.raises(SettingProblem, match="the same in all lanes"):
            stack_settings([first, second], known)


def test_a_number_that_must_be_shared_stays_a_number():
    known = {"depth": Setting(3, "a shared number", integer=True, shared=True)}
    assert stack_settings([{}, {"depth": 3}], known)["depth"] == 3
    with pytest.raises(SettingProblem, match="the same in all lanes"):
        stack_settings([{}, {"depth": 4}], known)


def test_one_lane_without_a_pack_has_plain_columns():
    rule = build_rule(RULES["sgd"], {"lr": 0.5}, Run(1, 1), torch.float64)
    assert rule.number("lr").shape == (1,)
    assert rule.number("momentum").dtype == torch.float64
