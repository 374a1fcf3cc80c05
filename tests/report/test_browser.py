"""The page in a browser: what is there, what fits, and that nothing is fetched."""

import re

import pytest

from tests.report.browsing import DESKTOP, NAMES, PHONE, Visit

pytestmark = pytest.mark.slow


def check_the_page_opened(visit, size):
    assert visit.said == []
    assert visit.requests == [visit.url]
    width = visit.page.evaluate("document.documentElement.scrollWidth")
    assert width <= size["width"]


@pytest.mark.parametrize("name", NAMES)
def test_the_page_opens_from_disk_alone_without_an_error(opened, name):
    check_the_page_opened(opened(name), DESKTOP)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_opens_on_a_phone_and_fits(browser, report, name):
    with Visit(browser, report(name)[1], PHONE) as visit:
        check_the_page_opened(visit, PHONE)


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_seen_and_no_two_ids_are_equal(browser, report, name):
    results, directory = report(name)
    with Visit(browser, directory) as visit:
        drawings = visit.page.locator("figure svg")
        files = list((directory / "figures").iterdir())
        # Before the first trial there is nothing to draw but who takes part.
        least = 3 if len(results.records) else 1
        assert drawings.count() == len(files) >= least * len(results.study.workloads)
        for unit, other in (("cost", "flops"), ("flops", "cost")):
            for control in visit.page.locator(f".in-{unit}").all():
                control.check()
            shown = visit.page.locator(f"figure:not([data-unit={other}]) svg")
            for drawing in shown.all():
                box = drawing.bounding_box()
                assert box["width"] > 300
                assert box["height"] > 60
        ids = visit.page.evaluate(
            "[...document.querySelectorAll('[id]')].map(e => e.id)"
        )
        assert len(ids) == len(set(ids))
        for link in visit.page.locator("a[href^='#']").all():
            assert link.get_attribute("href").removeprefix("#") in ids


@pytest.mark.parametrize("name", NAMES)
def test_no_text_of_a_figure_is_cut_off_at_its_edge(opened, name):
    outside = opened(name).page.evaluate(
        """[...document.querySelectorAll('figure svg')].flatMap(svg => {
             const edge = svg.getBoundingClientRect();
             return [...svg.querySelectorAll('text')].filter(text => {
               const box = text.getBoundingClientRect();
               return box.left < edge.left - 1 || box.right > edge.right + 1
                 || box.top < edge.top - 1 || box.bottom > edge.bottom + 1;
             }).map(text => text.textContent);
           })"""
    )
    assert outside == []


@pytest.mark.parametrize("name", NAMES)
def test_names_are_shown_as_they_are_and_run_nothing(opened, report, name):
    results, page = report(name)[0], opened(name).page
    assert page.evaluate("window.hacked") is None
    assert page.locator("figure script, figure img, td script, h1 *").count() == 0
    assert page.locator("h1").inner_text() == results.study.name
    shown = page.locator(".arms .clamp").evaluate_all(
        "all => all.map(one => one.textContent)"
    )
    arms = sorted(arm.name for arm in results.study.arms)
    assert sorted(set(shown)) == arms
    assert len(shown) == len(arms) * len(results.study.workloads)


def test_names_of_the_study_cannot_become_markup(report):
    directory = report("evil")[1]
    text = (directory / "index.html").read_text()
    assert "<script>window.hacked" not in text
    assert "&lt;script&gt;window.hacked" in text
    for part in (text, *(p.read_text() for p in (directory / "figures").iterdir())):
        assert "]]>--><b>" not in part
        assert "<script>window.hacked" not in part


def test_a_study_without_any_record_says_so(report):
    text = (report("empty")[1] / "index.html").read_text()
    assert "no trial has finished yet" in text
    assert "0 of 12 trials are done" in text


def test_every_arm_has_one_colour_in_all_figures(browser, report):
    results, directory = report("finished")
    with Visit(browser, directory) as visit:
        css = visit.page.locator("style").text_content()
        rules = dict(re.findall(r"^\.(_\w+)\{(.*)\}$", css, flags=re.M))
        for i in range(len(results.study.arms)):
            own = [f".{name}" for name, rule in rules.items() if f"--arm-{i})" in rule]
            assert visit.page.locator(f"figure svg :is({', '.join(own)})").count() > 0
        # All other colours have a variant for the dark page.
        left = set(re.findall(r"#[0-9a-f]{6}\b", " ".join(rules.values())))
        assert left <= {"#000000", "#ffffff"}
        assert visit.page.locator("figure svg [style]").count() == 0


def test_dark_mode_has_light_text_on_dark_figures(browser, report):
    with Visit(browser, report("finished")[1], scheme="dark") as visit:
        ink, paper = visit.page.evaluate(
            """(() => {
                 const text = document.querySelector('figure svg text');
                 const card = document.querySelector('figure');
                 return [getComputedStyle(text).fill,
                         getComputedStyle(card).backgroundColor];
               })()"""
        )
        brightness = [sum(map(int, re.findall(r"\d+", c)[:3])) for c in (ink, paper)]
        assert brightness[0] > 500 > 150 > brightness[1]


def test_an_unfinished_study_says_what_is_missing_and_what_crashed(browser, report):
    with Visit(browser, report("unfinished")[1]) as visit:
        missing = visit.page.locator("#missing").inner_text()
        assert "This study is not finished" in missing
        assert "sensitivity sweep" in missing
        assert "RuntimeError: out of <memory>" in missing
        answer = visit.page.locator("#answer").inner_text()
        assert "Unfinished: 40 of 48 trials are done" in answer
        assert "is cheapest" not in answer


def test_a_finished_study_has_nothing_missing(browser, report):
    with Visit(browser, report("finished")[1]) as visit:
        assert visit.page.locator("#missing").count() == 0


def test_every_figure_has_words_for_those_who_cannot_see_it(browser, report):
    with Visit(browser, report("never")[1]) as visit:
        for drawing in visit.page.locator("figure svg").all():
            assert drawing.get_attribute("role") == "img"
        words = visit.page.locator("figure svg desc").evaluate_all(
            "all => all.map(one => one.textContent)"
        )
        assert all(len(each) > 20 for each in words)
        assert "Never met the target: sgd-grid" in words[0]


def test_the_answer_is_readable_on_a_phone(browser, report):
    with Visit(browser, report("finished")[1], PHONE) as visit:
        size = visit.page.locator(".finding").first.evaluate(
            "one => parseFloat(getComputedStyle(one).fontSize)"
        )
        assert size >= 16
        shown = "figure:not([data-unit=flops]) svg text"
        smallest = visit.page.locator(shown).evaluate_all(
            "all => Math.min(...all.map(one => one.getBoundingClientRect().height))"
        )
        assert smallest >= 7


def test_the_page_printed_on_a4_is_not_cut_off(browser, report):
    with Visit(
        browser, report("unfinished")[1], {"width": 720, "height": 1000}
    ) as visit:
        visit.page.emulate_media(media="print")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 720
