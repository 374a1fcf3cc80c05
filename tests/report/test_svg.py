from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from hpo_vs_adapt.report.figures.looks import (
    ARM_COLOURS,
    INK,
    PURPOSE_COLOURS,
    VARIABLES,
    looks_of,
)
from hpo_vs_adapt.report.figures.svg import inline_svg, svg_text


@pytest.fixture
def figure():
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    axes.plot([1, 2, 3], color=ARM_COLOURS[0][0], marker="o")
    axes.set_title("</svg><script>alert('x')</script> 🚀", color=INK)
    return figure


def test_a_figure_gives_the_same_bytes_each_time_and_no_date(figure):
    text = svg_text(figure, "race-a")
    assert text == svg_text(figure, "race-a")
    assert "<dc:date>" not in text
    assert "<script>" not in text
    ElementTree.fromstring(text)


def test_text_stays_text(figure):
    root = ElementTree.fromstring(svg_text(figure, "race-a"))
    said = ["".join(text.itertext()) for text in root.iterfind(".//{*}text")]
    assert "</svg><script>alert('x')</script> 🚀" in said


def test_ids_of_two_figures_in_a_page_differ_and_references_hold(figure):
    ids = []
    for name in ("race-a", "race-b"):
        inline = inline_svg(svg_text(figure, name), name, "A title", "What it shows")
        root = ElementTree.fromstring(inline)
        own = [one.get("id") for one in root.iter() if one.get("id")]
        links = [one.get("href") for one in root.iter() if one.get("href")]
        assert links
        assert {link.removeprefix("#") for link in links} <= set(own)
        assert inline.count("url(#") == inline.count(f"url(#{name}-")
        ids += own
    assert len(ids) == len(set(ids))


def test_an_inline_figure_has_a_text_alternative_and_the_pages_colours(figure):
    inline = inline_svg(svg_text(figure, "f"), "f", "A <title>", "Says & shows")
    root = ElementTree.fromstring(inline)
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "f-title f-desc"
    assert root.find("title").text == "A <title>"
    assert root.find("desc").text == "Says & shows"
    assert "var(--arm-0)" in inline
    assert ARM_COLOURS[0][0] not in inline
    assert "<style" not in inline  # it would apply to the whole page


def test_forty_eight_arms_look_different_as_lines_and_as_areas():
    looks = looks_of([f"arm {i}" for i in range(48)]).values()
    for way in ("marker", "dash", "hatch"):
        assert len({(look.colour, getattr(look, way)) for look in looks}) == 48


def test_arms_whose_short_names_are_equal_are_numbered():
    names = [f"{'x' * 40}{i}{'y' * 40}" for i in range(3)]
    labels = {look.label for look in looks_of(names).values()}
    assert len(labels) == 3


def _contrast(one, other):
    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
            for part in parts
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_no_two_variables_of_the_page_have_the_same_light_colour():
    lights = [light for light, _ in VARIABLES.values()]
    assert len(set(lights)) == len(lights)


@pytest.mark.parametrize(("light", "dark"), ARM_COLOURS + PURPOSE_COLOURS)
def test_every_colour_stands_out_on_the_light_and_on_the_dark_page(light, dark):
    assert _contrast(light, "#fefefe") >= 3
    assert _contrast(dark, "#1c1f25") >= 3
