"""Which arms of a figure of many lines have names, and what its caption says."""

from hpo_vs_adapt.report.figures.looks import ARM_COLOURS, looks_of
from hpo_vs_adapt.report.figures.naming import NAMED, name_arms, say_others

ARMS = [f"arm-{place}" for place in range(40)]
LOOKS = looks_of(ARMS)


def test_the_most_important_arms_are_named_though_they_share_a_colour():
    ranked = [ARMS[0], ARMS[8], ARMS[16], ARMS[24], *ARMS[25:]]
    named = name_arms(LOOKS, ranked)
    assert set(ranked[:4]) <= set(named)
    assert len(named) == NAMED


def test_the_others_are_such_that_colours_differ():
    named = name_arms(LOOKS, ARMS[8:])
    assert len({look.colour for look in named.values()}) == len(ARM_COLOURS)
    named = name_arms(LOOKS, [ARMS[0], ARMS[8], ARMS[16], *ARMS[1:8]], most=5)
    assert list(named) == [ARMS[0], ARMS[1], ARMS[2], ARMS[3], ARMS[8]]


def test_arms_of_one_colour_are_named_if_there_is_no_other():
    assert len(name_arms(LOOKS, ARMS[::8])) == 5


def test_the_caption_counts_the_arms_that_are_grey():
    said = say_others(["a", "b"], ["a", "b", "c", "c", "d"], "the best two")
    assert said == (
        " In colour: the best two. Grey: the other 2, whose numbers the table has."
    )
    assert say_others(["a", "b"], ["b", "a", "a"]) == ""
