"""The drawing of all arms on all workloads: its order, its cells, what they say."""

import math

import pandas as pd
import pytest
from matplotlib.figure import Figure

from hpo_vs_adapt.report.figures.looks import looks_of
from hpo_vs_adapt.report.figures.ratios import draw_ratios, rank_by_ratios

NEVER = math.nan
BILLS = {  # of the workloads x, y and z; the reference never solves z
    "dear": (400.0, 800.0, 30.0),
    "reference": (100.0, 200.0, NEVER),
    "cheap": (50.0, NEVER, NEVER),
    "middling": (200.0, 100.0, NEVER),
    "hopeless": (NEVER, NEVER, NEVER),
}


def table(bills=BILLS):
    rows = [
        {
            "workload": workload,
            "arm": arm,
            "kind": "fixed",
            "trials": 3,
            "planned": 3,
            "bill": own[place],
            "ratio": own[place] / bills["reference"][place],
        }
        for place, workload in enumerate("xyz")
        for arm, own in bills.items()
    ]
    rows = pd.DataFrame(rows)
    return rows.assign(ratio_low=rows["ratio"] * 0.6, ratio_high=rows["ratio"] * 1.6)


def drawn(rows):
    axes = Figure(figsize=(7, 4)).subplots()
    draw_ratios(rows, axes, looks_of(list(rows["arm"].unique())), "reference")
    return axes


def cells(axes):
    """Return the texts by row, from left to right: kind, workloads, solved, mean."""
    texts = sorted(axes.texts, key=lambda text: text.get_position())
    rows = [label.get_text() for label in axes.get_yticklabels()]
    return {
        row: [text.get_text() for text in texts if text.get_position()[1] == place]
        for place, row in enumerate(rows)
    }


def test_more_workloads_come_first_and_then_the_lesser_mean_ratio():
    order = rank_by_ratios(table()).set_index("arm")
    assert list(order.index) == ["dear", "reference", "middling", "cheap", "hopeless"]
    assert list(order["solved"]) == [3, 2, 2, 1, 0]
    assert order.loc["middling", "mean_ratio"] == pytest.approx(1)  # of 2 and 1/2
    assert order.loc["dear", "mean_ratio"] == pytest.approx(4)
    assert math.isnan(order.loc["hopeless", "mean_ratio"])


def test_a_cell_says_the_ratio_or_why_there_is_none():
    said = cells(drawn(table()))
    assert said["dear"] == ["fixed", "4", "4", "met", "3/3", "4"]
    assert said["reference (reference)"] == ["fixed", "1", "1", "never", "2/3", "1"]
    assert said["cheap"] == ["fixed", "0.5", "never", "never", "1/3", "0.5"]


def test_what_is_not_done_is_not_called_never():
    rows = table()
    rows.loc[(rows["arm"] == "hopeless") & (rows["workload"] == "x"), "trials"] = 0
    rows.loc[(rows["arm"] == "hopeless") & (rows["workload"] == "y"), "trials"] = 2
    assert cells(drawn(rows))["hopeless"][1:4] == ["\N{EN DASH}", "not yet", "never"]


def test_cheaper_is_blue_dearer_is_red_and_sure_ratios_are_bold():
    axes = drawn(table())
    bars = {
        (bar.get_x(), bar.get_y() + 0.5): bar.get_facecolor() for bar in axes.patches
    }
    rows = list(rank_by_ratios(table())["arm"])
    red, _, blue, _ = bars[0, rows.index("dear")]
    assert red > blue
    red, _, blue, _ = bars[0, rows.index("cheap")]
    assert blue > red
    bold = {text.get_text() for text in axes.texts if text.get_fontweight() == "bold"}
    assert bold == {"4", "2", "0.5"}  # 0.6 to 1.6 times 1 has 1 in it
    assert bars[2, rows.index("dear")] != bars[2, rows.index("cheap")]


def test_ratios_beyond_the_scale_have_its_last_colours_and_short_numbers():
    bills = {"reference": (1.0, 1.0, 1.0), "vast": (123456.0, 1e-5, 1.0)}
    axes = drawn(table(bills))
    assert cells(axes)["vast"][1:3] == ["123k", "1e-05"]
