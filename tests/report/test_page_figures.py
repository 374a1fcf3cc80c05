"""Figures in the page: what they share is there once, what they refer to is theirs."""

import re
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from hpo_vs_adapt.report.figures import Drawing
from hpo_vs_adapt.report.figures.looks import ARM_COLOURS
from hpo_vs_adapt.report.figures.svg import svg_text
from hpo_vs_adapt.report.html.figures import PageFigures

WORDS = ' style="fill: red" id="one-x" href="#one-x"'


def drawing(name):
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    axes.plot([1, 3, 2], color=ARM_COLOURS[1][0], marker="s")
    axes.set_title(WORDS)
    svg = svg_text(figure, name)
    return Drawing(
        name, "", "bills", "A title", "How.", f"It shows {WORDS}", svg, "suite"
    )


@pytest.fixture
def placed():
    figures = PageFigures()
    return figures, [svg for _, svg in figures.place(map(drawing, ("one", "one-two")))]


def test_styles_stand_in_the_page_once(placed):
    figures, (one, two) = placed
    rules = dict(re.findall(r"^\.(\w+)\{(.*)\}$", figures.css, flags=re.M))
    assert len(set(rules.values())) == len(rules)
    assert any("var(--arm-1)" in rule for rule in rules.values())
    for svg in (one, two):
        elements = list(ElementTree.fromstring(svg).iter())
        classes = {element.get("class") for element in elements} - {None}
        assert len(classes) > 5
        assert classes <= set(rules)
        assert all(element.get("style") is None for element in elements)


def test_the_pages_font_is_that_of_the_figures(placed):
    figures, _ = placed
    assert "font-size:" in figures.css
    assert "font-family" not in figures.css


def test_ids_differ_between_figures_and_references_hold(placed):
    _, elements = placed
    ids = []
    for svg in elements:
        root = ElementTree.fromstring(svg)
        own = {one.get("id") for one in root.iter()} - {None}
        named = set(root.get("aria-labelledby").split())
        links = {one.get("href").removeprefix("#") for one in root.iter("use")}
        clips = set(re.findall(r'clip-path="url\(#([^)]*)', svg))
        assert links
        assert clips
        assert named | links | clips <= own
        ids += own
    assert len(ids) == len(set(ids))


def test_words_that_look_like_attributes_stay_words(placed):
    _, elements = placed
    for svg in elements:
        root = ElementTree.fromstring(svg)
        assert root.findtext("desc") == f"It shows {WORDS}"
        assert WORDS in {text.text for text in root.iter("text")}
