"""The page's controls: sorting, filtering, units and targets, with and without them."""

import math

import pytest
from axe_playwright_python.sync_playwright import Axe

from hpo_vs_adapt.report import write_report
from hpo_vs_adapt.tables.catalogue import Tables
from hpo_vs_adapt.wording import UNKNOWN, amount
from tests.report import builder
from tests.report.browsing import NAMES, PHONE, Visit

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def thousand(tmp_path_factory):
    """A study of a thousand trials, and the directory of its report."""
    arms = [builder.optuna_arm(f"tpe-{i}", 108) for i in range(3)]
    results = builder.finished(builder.study(arms, sweep=False))
    directory = tmp_path_factory.mktemp("thousand")
    write_report(Tables(results), directory)
    return results, directory


def column(table, place):
    return table.locator(f"tbody tr > :nth-child({place + 1})").all_inner_texts()


def test_a_table_is_sorted_by_click_and_by_keyboard(browser, report):
    with Visit(browser, report("finished")[1]) as visit:
        table = visit.page.locator("#trials-table table")
        head = table.locator("thead th").nth(10)
        assert head.get_attribute("aria-sort") == "none"
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == "ascending"
        rising = [float(text) for text in column(table, 10) if text != UNKNOWN]
        assert rising == sorted(rising)
        assert len(rising) > 20
        head.locator("button").focus()
        visit.page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == "descending"
        falling = [float(text) for text in column(table, 10) if text != UNKNOWN]
        assert falling == sorted(falling, reverse=True)


def test_what_is_not_known_comes_last_either_way(browser, report):
    with Visit(browser, report("evil")[1]) as visit:
        table = visit.page.locator("table.arms").first
        for _ in range(2):
            table.locator("thead th button").nth(1).click()
            assert column(table, 1)[-1] == "never met"


def test_names_are_sorted_as_names_and_numbers_by_size(browser, report):
    with Visit(browser, report("forty")[1]) as visit:
        table = visit.page.locator("table.arms")
        table.locator("thead th button").nth(0).click()
        names = column(table, 0)
        assert names[:3] == ["adaptive-0", "adaptive-1", "adaptive-2"]
        table.locator("thead th button").nth(5).click()
        trials = [int(text) for text in column(table, 5)]
        assert trials == sorted(trials)


def test_a_filter_keeps_the_rows_that_have_all_its_words(browser, report):
    results, directory = report("finished")
    with Visit(browser, directory) as visit:
        part = visit.page.locator("#trials-table")
        part.locator("input[type=search]").fill("sgd-grid SWEEP")
        records = results.records
        kept = records[(records["arm"] == "sgd-grid") & (records["role"] == "sweep")]
        assert part.locator("tbody tr").count() == len(kept)
        said = part.locator("[role=status]").inner_text()
        assert said == f"{len(kept)} of {len(records)} rows"
        part.locator("input[type=search]").fill("nobody")
        assert part.locator("tbody tr").count() == 0


def test_a_thousand_trials_are_shown_a_hundred_at_a_time(browser, thousand):
    results, directory = thousand
    total = len(results.records)
    assert total > 950
    assert (directory / "index.html").stat().st_size < 5_000_000
    with Visit(browser, directory) as visit:
        part = visit.page.locator("#trials-table")
        rows = part.locator("tbody tr")
        assert rows.count() == 100
        assert visit.page.locator("tr").count() < 400
        part.locator(".more-rows").click()
        assert rows.count() == 200
        # Sorting and filtering are over all rows, not over those that are shown.
        part.locator("thead th button").nth(0).click()
        part.locator("thead th button").nth(0).click()
        assert column(part, 0)[0] == str(total)
        key = results.records["key"].iloc[-1]
        part.locator("input[type=search]").fill(key)
        assert rows.count() == int((results.records["key"] == key).sum())
        link = rows.last.locator("a")
        assert link.get_attribute("href").startswith("tables/trials.csv#row=")
        assert visit.said == []


def test_the_unit_switches_numbers_and_figures_of_the_whole_page(browser, report):
    results, directory = report("finished")
    with Visit(browser, directory) as visit:
        page = visit.page
        bill = page.locator("table.arms tbody tr").first.locator("td b")
        before = bill.inner_text()
        page.locator(".in-flops").first.check()
        after = bill.inner_text()
        assert after != before
        assert page.locator(".in-cost:checked").count() == 0
        # The builder's model takes 10 000 FLOPs a sample gradient.
        cheapest = Tables(results)["bills"]["bill"].min()
        assert (before, after) == (amount(cheapest), amount(cheapest * 10_000))
        for unit, shown in (("cost", False), ("flops", True)):
            figures = page.locator(f"figure[data-unit={unit}]").all()
            assert len(figures) >= 2  # bills and race
            assert all(figure.is_visible() is shown for figure in figures)
        page.locator(".in-cost").last.check()
        assert bill.inner_text() == before
        for figure in page.locator("figure[data-unit=cost]").all():
            assert figure.is_visible()


def test_a_figure_on_a_phone_can_be_as_large_as_elsewhere(browser, report):
    with Visit(browser, report("finished")[1], PHONE) as visit:
        figure = visit.page.locator("figure:visible").first
        button = figure.get_by_role("button", name="Full size")
        before = figure.locator("svg").bounding_box()["width"]
        assert before <= PHONE["width"]
        button.click()
        assert button.get_attribute("aria-pressed") == "true"
        assert figure.locator("svg").bounding_box()["width"] >= 42 * 16
        assert visit.page.evaluate("document.body.scrollWidth") <= PHONE["width"]
        button.click()
        assert button.get_attribute("aria-pressed") == "false"
        assert figure.locator("svg").bounding_box()["width"] == before
    with Visit(browser, report("finished")[1]) as visit:
        assert not visit.page.locator("button.full-size:visible").count()


def test_the_target_moves_bills_ranks_and_marks(browser, report):
    with Visit(browser, report("finished")[1]) as visit:
        part = visit.page.locator(".targets").first
        slider = part.locator("input[type=range]")
        own = part.locator("tbody").inner_text()
        spot = part.locator(".dot").first.bounding_box()["x"]
        assert part.locator("output").inner_text() == "accuracy ≥ 0.9"
        slider.focus()
        visit.page.keyboard.press("Home")
        assert slider.input_value() == "0"
        easy = part.locator("output").inner_text()
        assert easy == slider.get_attribute("aria-valuetext")
        assert float(easy.split()[-1]) < 0.9
        assert part.locator("tbody").inner_text() != own
        assert part.locator(".dot").first.bounding_box()["x"] < spot
        visit.page.keyboard.press("End")
        assert "never met" in part.locator("tbody").inner_text()
        ranks = [int(text) for text in column(part.locator("table"), 3)]
        assert ranks == sorted(ranks)


def test_without_script_the_numbers_are_still_there(browser, thousand, report):
    with Visit(browser, thousand[1], script=False) as visit:
        part = visit.page.locator("#trials-table")
        assert part.locator("tbody tr").count() == 100
        assert "all are in the file" in part.inner_text()
        assert part.locator("a[href='tables/trials.csv']").count() == 1
    with Visit(browser, report("finished")[1], script=False) as visit:
        part = visit.page.locator(".targets").first
        assert not part.locator("input").is_visible()
        assert "target; all others are in the file" in part.inner_text()
        assert visit.page.locator("figure").first.is_visible()
        bill = visit.page.locator("table.arms tbody tr").first.locator("td b")
        before = bill.inner_text()
        visit.page.locator(".in-flops").first.check()
        assert bill.inner_text() != before


def serious_findings(page):
    found = Axe().run(page).response["violations"]
    return {
        each["id"]: [node["html"][:200] for node in each["nodes"][:3]]
        for each in found
        if each["impact"] in ("serious", "critical")
    }


@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_nothing_serious(opened, name):
    assert serious_findings(opened(name).page) == {}


# What is dark or narrow is so in every study; these have all there is on a page.
@pytest.mark.parametrize("name", ["finished", "evil", "unfinished"])
def test_axe_finds_nothing_serious_in_the_dark_on_a_phone(browser, report, name):
    with Visit(browser, report(name)[1], PHONE, "dark") as visit:
        assert serious_findings(visit.page) == {}


def test_every_control_is_reached_by_the_tab_key(browser, report):
    with Visit(browser, report("one-arm")[1]) as visit:
        reached = set()
        for _ in range(200):
            visit.page.keyboard.press("Tab")
            tag = visit.page.evaluate("document.activeElement.tagName")
            kind = visit.page.evaluate("document.activeElement.type ?? ''")
            reached.add((tag, kind))
            if tag == "BODY":
                break
        assert {("A", ""), ("INPUT", "radio"), ("INPUT", "range")} <= reached
        assert ("BUTTON", "button") in reached


def test_the_contents_stay_in_sight(browser, report):
    for size in (None, PHONE):
        with Visit(browser, report("finished")[1], size) as visit:
            visit.page.locator("#trials").scroll_into_view_if_needed()
            visit.page.evaluate("window.scrollTo(0, document.body.scrollHeight / 2)")
            top = visit.page.locator("nav.toc").bounding_box()["y"]
            assert math.isclose(top, 0, abs_tol=1)
