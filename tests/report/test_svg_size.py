"""Figures made smaller for the page: nothing that is seen or referred to is lost."""

from xml.etree import ElementTree

from hpo_vs_adapt.report.svg_size import shrink_svg

SVG = (
    '<svg viewBox="0 0 40 30" aria-labelledby="f-title f-desc">'
    '<title id="f-title">1.23456 &lt; 2</title>\n  <desc id="f-desc">x="1.23456"</desc>'
    '<defs><path id="f-mark" d="M 0.123456 -12.987654 L 3 4.5" /></defs>'
    '<clipPath id="f-clip"><rect x="1.23456" y="2" /></clipPath>'
    '\n  <g id="f-unused" clip-path="url(#f-clip)"><use href="#f-mark" x="7.7777" />'
    "</g></svg>"
)


def test_coordinates_keep_two_decimals_and_words_stay_as_they_are():
    small = shrink_svg(SVG)
    assert 'd="M 0.12 -12.98 L 3 4.5"' in small
    assert 'x="7.77"' in small
    root = ElementTree.fromstring(small)
    assert root.findtext("title") == "1.23456 < 2"


def test_ids_go_unless_something_refers_to_them():
    root = ElementTree.fromstring(shrink_svg(SVG))
    kept = {element.get("id") for element in root.iter()} - {None}
    assert kept == {"f-title", "f-desc", "f-mark", "f-clip"}


def test_a_figure_without_numbers_stays_the_same():
    plain = '<svg><g transform="scale(0.015625)"><text>0.98765</text></g></svg>'
    assert shrink_svg(plain) == plain
