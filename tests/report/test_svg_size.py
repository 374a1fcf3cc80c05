"""Figures made smaller: nothing that is seen or referred to is lost."""

import re
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure
from matplotlib.path import Path

from hpo_vs_adapt.report.figures.svg import svg_text
from hpo_vs_adapt.report.figures.svg_size import shorten_path, shrink_svg

SVG = (
    '<svg viewBox="0 0 40 30"><!-- 1.2 > 1 -->\n'
    '<defs><path id="f-mark" d="M 0.123456 -12.987654 L 3 4.5" /></defs>'
    '<clipPath id="f-clip"><rect x="1.23456" y="2" width="3.04999"/></clipPath>'
    '\n  <g id="f-unused"><g clip-path="url(#f-clip)"><g/><use href="#f-mark"'
    ' x="7.7777" /></g><text transform="rotate(-0 1.5 2.25)"> x="1.2345"</text></g>'
    "</svg>"
)


def places(path):
    """Return the points of a path of M, l, h, v and z, as a browser draws it."""
    x = y = 0.0
    points = []
    for command, rest in re.findall(r"([Mlhvz])([^Mlhvz]*)", path):
        numbers = [float(n) for n in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", rest)]
        if command == "M":
            x, y = numbers
        elif command == "l":
            x, y = x + numbers[0], y + numbers[1]
        elif command == "h":
            x += numbers[0]
        elif command == "v":
            y += numbers[0]
        points.append((x, y))
    return points


def test_a_path_keeps_its_course_and_loses_what_adds_nothing():
    level = "M 1.04 2 \nL 3.01 2.01 \nL 5 2 \nL 5 7.5 \nL 4.5 8.04 \nL 4.52 8.01 \nz"
    short = shorten_path(level, 1)
    assert short == "M1 2h4v5.5l-.5 .5z"
    assert places(short)[:-1] == [(1, 2), (5, 2), (5, 7.5), (4.5, 8)]


def test_a_stretch_that_turns_back_keeps_its_end():
    assert shorten_path("M 0 0 L 3 0 L 1 0", 1) == "M0 0h3h-2"


def test_roundings_do_not_add_up_on_the_way():
    steps = [(0.34 * i, 0.07 * i * i) for i in range(200)]
    path = "M 0 0 " + " ".join(f"L {x} {y}" for x, y in steps[1:])
    x, y = places(shorten_path(path, 1))[-1]
    assert (x, y) == pytest.approx(steps[-1], abs=0.051)


def test_curves_are_relative_to_where_they_begin():
    assert shorten_path("M 1 1 C 1 2 2 3 3 3 L 4 4", 1) == "M1 1c0 1 1 2 2 2l1 1"


def test_coordinates_keep_a_decimal_and_those_of_markers_two():
    small = shrink_svg(SVG)
    assert 'd="M.12-12.99l2.88 17.49"' in small
    assert 'x="7.8"' in small
    assert 'width="3"' in small


def test_words_stay_as_they_are_though_they_look_like_attributes():
    root = ElementTree.fromstring(shrink_svg(SVG))
    (text,) = root.iter("text")
    assert text.text == ' x="1.2345"'
    assert text.get("transform") is None  # it turned nothing


def test_ids_and_groups_go_unless_they_say_something():
    root = ElementTree.fromstring(shrink_svg(SVG))
    kept = {element.get("id") for element in root.iter()} - {None}
    assert kept == {"f-mark", "f-clip"}
    (group,) = root.iter("g")
    assert group.get("clip-path") == "url(#f-clip)"
    assert [child.tag for child in group] == ["use"]


def test_a_figure_of_matplotlib_keeps_its_elements():
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    axes.plot(range(300), [i % 7 for i in range(300)], drawstyle="steps-post")
    axes.scatter([1, 2], [3, 4], marker=Path.unit_circle())
    axes.set_title("<g> & \N{MINUS SIGN}1")
    text = svg_text(figure, "steps")
    root = ElementTree.fromstring(text)
    said = ["".join(one.itertext()) for one in root.iterfind(".//{*}text")]
    assert "<g> & \N{MINUS SIGN}1" in said
    known = {element.get("id") for element in root.iter()}
    assert set(re.findall(r'href="#([^"]*)"', text)) <= known
    longest = max(re.findall(r' d="([^"]*)"', text), key=len)
    assert set(re.sub(r"[-\d. ]", "", longest)) <= set("Mhvl")
    assert longest.count("v") > 200
