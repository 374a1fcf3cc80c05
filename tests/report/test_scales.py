import itertools

import pytest
from matplotlib.figure import Figure

from hpo_vs_adapt.report.figures.scales import scale_signed


@pytest.mark.parametrize(
    ("low", "high", "threshold", "ticks"),
    [
        (-10, 2, 0.1, [-10, -1, -0.1, 0, 0.1, 1]),
        (-1, 300, 0.5, [-1, 0, 1, 10, 100]),
        (0, 5e3, 1, [0, 1, 10, 100, 1e3]),
        (-0.2, 1e4, 0.5, [0, 1, 10, 100, 1e3, 1e4]),
        (-1e11, 1e17, 0.3, [-1e9, -1e4, 0, 1e4, 1e9, 1e14]),
    ],
)
def test_ticks_around_zero_are_powers_of_ten_that_do_not_touch(
    low, high, threshold, ticks
):
    figure = Figure(figsize=(6, 2), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [low, high])
    scale_signed(axes, low, high, threshold)
    figure.draw_without_rendering()
    bottom, top = axes.get_ylim()
    shown = [
        label
        for place, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
        if bottom <= place <= top
    ]
    places = [place for place in axes.get_yticks() if bottom <= place <= top]
    assert places == pytest.approx(ticks)
    boxes = [label.get_window_extent() for label in shown]
    assert all(a.y1 <= b.y0 for a, b in itertools.pairwise(boxes))
