import math

import pytest

from hpo_vs_adapt import wording


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1_940_000, "1.9 M"),
        (61_234, "61 k"),
        (112_600, "113 k"),
        (999_600, "1 M"),
        (994_000, "994 k"),
        (113, "113"),
        (0, "0"),
        (2.5e9, "2.5 G"),
        (math.inf, "∞"),
        (math.nan, wording.UNKNOWN),
    ],
)
def test_an_amount_has_few_digits_and_a_scale(value, text):
    assert wording.amount(value) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (45_000, 83_000, "[45 k, 83 k]"),
        (45_000, math.inf, "[45 k, ∞]"),
        (math.nan, math.nan, ""),
        (6_000, 6_000, ""),
    ],
)
def test_an_interval_without_width_or_bounds_is_not_written(low, high, text):
    assert wording.interval(low, high) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.9999, "> 0.99"), (1, "1.00"), (0.0001, "< 0.01"), (0, "0.00"), (0.621, "0.62")],
)
def test_a_probability_is_never_rounded_to_certainty(value, text):
    assert wording.probability(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-6, "1e-6"), (0.01, "0.01"), (3.3e-5, "3.3e-5"), (1000, "1000"), (1e5, "1e5")],
)
def test_a_rate_is_written_as_people_do(value, text):
    assert wording.rate(value) == text


def test_ratios_have_two_digits_or_three_from_a_hundred():
    values = (0.0877, 1.44, 11.4, 212.3, 3e7)
    assert [wording.ratio(each) for each in values] == [
        "0.088",
        "1.4",
        "11",
        "212",
        "3.0e+07",
    ]


def test_things_are_counted_in_the_right_number():
    assert wording.counted(1, "pass") == "1 pass"
    assert wording.counted(3, "pass") == "3 passes"
    assert wording.counted(0, "trial") == "0 trials"


def test_a_series_ends_with_and():
    assert wording.series([]) == ""
    assert wording.series("a") == "a"
    assert wording.series("ab") == "a and b"
    assert wording.series("abc") == "a, b and c"


def test_a_long_list_names_some_and_counts_the_others():
    assert wording.listed("abc", most=2) == "a, b and c"
    assert wording.listed("abcde", most=2) == "a, b and 3 others"


def test_names_beyond_some_are_only_mentioned():
    assert wording.named("abc", most=3) == "a, b and c"
    assert wording.named("abcd", most=3) == "a, b, c and others"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0042, "0.42 %"), (0.13125, "13 %"), (0.9996, "100 %"), (0.5, "50 %")],
)
def test_a_share_has_two_digits_and_no_exponent(share, text):
    assert wording.percent(share) == text


def test_a_factor_that_rounds_to_one_is_about_as_much():
    assert wording.times_as_much(1.04) == "about as much"
    assert wording.times_as_much(1.06) == "1.1 times as much"


def test_file_names_are_plain_and_all_different():
    names = ["a/b.py:C", "a-b-py-c", "../../etc", "<script>", "", "Ü"]
    slugs = wording.slugs(names)
    assert list(slugs) == names
    assert len(set(slugs.values())) == len(names)
    assert all(
        set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        for slug in slugs.values()
    )


def test_a_long_name_keeps_its_beginning_and_its_end():
    short = wording.shorten("momentum-with-a-very-long-name-and-number-17")
    assert len(short) <= 26
    assert short.startswith("momentum")
    assert short.endswith("17")
    assert wording.shorten("sgd") == "sgd"
