from hpo_vs_adapt.observers.terminal.sparkline import fit_scale, sparkline


def test_a_sparkline_shows_the_best_value_at_the_end_of_each_part_of_the_spending():
    scale = fit_scale([0.2], 0.9, "max")
    path = [(0.0, 0.2), (50.0, 0.55), (75.0, 0.9)]
    # at 25: 0.2, at 50: halfway to the target, at 75 and 100: there
    assert sparkline(path, 100.0, 4, scale) == "▁▄██"


def test_a_sparkline_is_blank_until_there_is_a_value():
    scale = fit_scale([0.2], 0.9, "max")
    assert sparkline([(60.0, 0.2)], 100.0, 5, scale) == "  ▁▁▁"
    assert sparkline([], 0.0, 5, scale) == "     "


def test_only_values_that_meet_the_target_are_full_blocks():
    scale = fit_scale([0.0], 0.9, "max")
    assert sparkline([(0.0, 0.9 - 1e-12)], 1.0, 1, scale) == "▇"
    assert sparkline([(0.0, 0.9)], 1.0, 1, scale) == "█"
    assert sparkline([(0.0, 1.0)], 1.0, 1, scale) == "█"


def test_a_metric_that_falls_by_decades_is_drawn_by_its_logarithm():
    scale = fit_scale([1e3, 10.0], 1e-4, "min")
    assert scale.log
    path = [(0.0, 1e3), (1.0, 10 ** (-0.5)), (2.0, 1e-4)]
    assert sparkline(path, 3.0, 3, scale) == "▄██"
    assert not fit_scale([3.0], 0.5, "min").log
    assert not fit_scale([900.0], -959.6, "min").log  # has no logarithm


def test_curves_that_begin_at_the_target_are_full():
    scale = fit_scale([0.95], 0.9, "max")
    assert sparkline([(0.0, 0.95)], 1.0, 3, scale) == "███"
