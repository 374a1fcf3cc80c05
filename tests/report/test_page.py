"""The page in a browser: what is there, what fits, and that nothing is fetched."""

import dataclasses
import math
import re
import shutil

import pytest
from playwright.sync_api import sync_playwright

from hpo_vs_adapt.report import write_report
from tests.report import builder

pytestmark = pytest.mark.slow

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE, DESKTOP = {"width": 375, "height": 800}, {"width": 1280, "height": 900}


def evil():
    """Twelve arms, names that try everything, a loss beside an accuracy."""
    arms = [
        builder.grid_arm("a <script>window.hacked = 1</script>"),
        builder.optuna_arm("\"quoted\" 'twice' & 🚀"),
        builder.fixed_arm("_z" + "z" * 200, 0.1),
        *(builder.adaptive_arm(f"{'long ' * i}{i}", 1e-3 * 2**i) for i in range(9)),
    ]
    entries = [
        builder.workload("file.py:W</title><img src=x onerror=alert(1)>"),
        builder.workload("w" * 120, 0.4, builder.LOSS),
    ]
    return builder.finished(builder.study(arms, entries, name="</style>evil"))


def unfinished():
    """One stream of one arm is missing, one trial crashed, the sweep has not begun."""
    results = builder.finished(builder.study())
    records = results.records
    gone = (records["arm"] == "adam-tpe") & (records["stream"] == 2)
    records = records[~gone & (records["role"] != "sweep")].reset_index(drop=True)
    crash = {
        "end": "crashed",
        "failed": True,
        "hit": False,
        "cost_to_target": math.inf,
        "best_metric": math.nan,
        "error": "RuntimeError: out of <memory>",
    }
    records = records.astype({"error": object})
    records.loc[0, list(crash)] = list(crash.values())
    names = ["workload", "arm", "role"]
    done = records.groupby(names).size()
    progress = results.progress.set_index(names)
    progress["done"] = done.reindex(progress.index, fill_value=0)
    return dataclasses.replace(
        results, records=records, progress=progress.reset_index()
    )


def empty():
    one = builder.study()
    planned = [
        (e.name, a.name, "policy", 3, 0) for e in one.workloads for a in one.arms
    ]
    return builder.Records().results(one, builder.progress(planned))


STUDIES = {
    "finished": lambda: builder.finished(builder.study()),
    "evil": evil,
    "unfinished": unfinished,
    "empty": empty,
    "never": lambda: builder.finished(
        builder.study(workloads=[builder.workload(target=0.9999)])
    ),
    "one-arm": lambda: builder.finished(
        builder.study([builder.fixed_arm()], seeds=[0], sweep=False)
    ),
}


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=FLAGS
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    made = {name: (make(), folder / name) for name, make in STUDIES.items()}
    for results, directory in made.values():
        write_report(results, directory)
    return made


class Visit:
    """A page that was opened, and what it did."""

    def __init__(self, browser, directory, size=None, scheme="light"):
        self.context = browser.new_context(
            viewport=size or DESKTOP, color_scheme=scheme
        )
        self.page = self.context.new_page()
        self.said, self.requests = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.url = f"file://{directory / 'index.html'}"
        self.page.goto(self.url)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("name", STUDIES)
def test_the_page_opens_from_disk_alone_without_an_error(browser, reports, name, size):
    with Visit(browser, reports[name][1], size) as visit:
        assert visit.said == []
        assert visit.requests == [visit.url]
        width = visit.page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"]


@pytest.mark.parametrize("name", STUDIES)
def test_every_figure_is_seen_and_no_two_ids_are_equal(browser, reports, name):
    results, directory = reports[name]
    with Visit(browser, directory) as visit:
        drawings = visit.page.locator("figure svg")
        files = list((directory / "figures").iterdir())
        assert drawings.count() == len(files) >= 3 * len(results.study.workloads)
        for i in range(drawings.count()):
            box = drawings.nth(i).bounding_box()
            assert box["width"] > 300
            assert box["height"] > 60
        ids = visit.page.evaluate(
            "[...document.querySelectorAll('[id]')].map(e => e.id)"
        )
        assert len(ids) == len(set(ids))
        for link in visit.page.locator("a[href^='#']").all():
            assert link.get_attribute("href").removeprefix("#") in ids


@pytest.mark.parametrize("name", STUDIES)
def test_no_text_of_a_figure_is_cut_off_at_its_edge(browser, reports, name):
    with Visit(browser, reports[name][1]) as visit:
        outside = visit.page.evaluate(
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


@pytest.mark.parametrize("name", STUDIES)
def test_names_are_shown_as_they_are_and_run_nothing(browser, reports, name):
    results, directory = reports[name]
    with Visit(browser, directory) as visit:
        page = visit.page
        assert page.evaluate("window.hacked") is None
        assert page.locator("script, figure img, h1 *").count() == 0
        assert page.locator("h1").inner_text() == results.study.name
        shown = page.locator(".arms .clamp").evaluate_all(
            "all => all.map(one => one.textContent)"
        )
        arms = sorted(arm.name for arm in results.study.arms)
        assert sorted(set(shown)) == arms
        assert len(shown) == len(arms) * len(results.study.workloads)


def test_every_arm_has_one_colour_in_all_figures(browser, reports):
    results, directory = reports["finished"]
    with Visit(browser, directory) as visit:
        for i in range(len(results.study.arms)):
            used = visit.page.locator(f"figure svg [style*='--arm-{i})']").count()
            assert used > 0
        left = visit.page.locator("figure svg").evaluate_all(
            "all => all.map(one => one.outerHTML).join('')"
        )
        assert set(re.findall(r"#[0-9a-f]{6}\b", left)) <= {"#000000", "#ffffff"}


def test_dark_mode_has_light_text_on_dark_figures(browser, reports):
    with Visit(browser, reports["finished"][1], scheme="dark") as visit:
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


def test_an_unfinished_study_says_what_is_missing_and_what_crashed(browser, reports):
    with Visit(browser, reports["unfinished"][1]) as visit:
        missing = visit.page.locator("#missing").inner_text()
        assert "This study is not finished" in missing
        assert "sensitivity sweep" in missing
        assert "RuntimeError: out of <memory>" in missing
        answer = visit.page.locator("#answer").inner_text()
        assert "Unfinished: 40 of 48 trials are done" in answer
        assert "is cheapest" not in answer


def test_a_finished_study_has_nothing_missing(browser, reports):
    with Visit(browser, reports["finished"][1]) as visit:
        assert visit.page.locator("#missing").count() == 0


def test_every_figure_has_words_for_those_who_cannot_see_it(browser, reports):
    with Visit(browser, reports["never"][1]) as visit:
        for drawing in visit.page.locator("figure svg").all():
            assert drawing.get_attribute("role") == "img"
        words = visit.page.locator("figure svg desc").evaluate_all(
            "all => all.map(one => one.textContent)"
        )
        assert all(len(each) > 20 for each in words)
        assert "Never met the target: sgd-grid" in words[0]


def test_the_answer_is_readable_on_a_phone(browser, reports):
    with Visit(browser, reports["finished"][1], PHONE) as visit:
        size = visit.page.locator(".finding").first.evaluate(
            "one => parseFloat(getComputedStyle(one).fontSize)"
        )
        assert size >= 16
        smallest = visit.page.locator("figure svg text").evaluate_all(
            "all => Math.min(...all.map(one => one.getBoundingClientRect().height))"
        )
        assert smallest >= 7


def test_the_page_printed_on_a4_is_not_cut_off(browser, reports):
    with Visit(
        browser, reports["unfinished"][1], {"width": 720, "height": 1000}
    ) as visit:
        visit.page.emulate_media(media="print")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 720
