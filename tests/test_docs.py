"""The documentation site: built as by `make docs`, read in a browser from disk."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

from tests.report.browsing import DESKTOP, PHONE

ROOT = Path(__file__).parent.parent
MODULES = (
    "hpo_vs_adapt",
    *(f"hpo_vs_adapt.{name}" for name in ("optim", "workloads", "metrics")),
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Return the folder of the site; building it says nothing in strict mode."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


class Reader:
    """A browser on the site, and what its pages asked for and complained about."""

    def __init__(self, browser, size=DESKTOP):
        self.context = browser.new_context(viewport=size)
        self.page = self.context.new_page()
        self.said, self.requests = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfailed", self._failed)

    def _failed(self, request):
        # A page that is left before its icon is there gives the icon up.
        if request.failure != "net::ERR_ABORTED":
            self.said.append(f"{request.url}: {request.failure}")

    def read(self, file: Path) -> dict[str, list[str]]:
        """Open a page; return where it links to, and the names that links can have."""
        self.page.goto(file.as_uri())
        return self.page.evaluate(
            """() => ({
                links: [...document.querySelectorAll("a[href]")].map((a) => a.href),
                pictures: [...document.images].filter((i) => !i.naturalWidth)
                    .map((i) => i.src),
                names: [...document.querySelectorAll("[id]")].map((e) => e.id),
                wide: document.documentElement.scrollWidth
                    > document.documentElement.clientWidth ? ["wide"] : [],
            })"""
        )


@pytest.fixture(scope="session")
def pages(site, browser):
    """Return what a reader finds on every page of the site, and the reader."""
    reader = Reader(browser)
    # Reports have tests of their own, and 404.html is for servers.
    apart = {"examples", "404.html"}
    files = [one for one in site.rglob("*.html") if not apart & {*one.parts}]
    found = {file: reader.read(file) for file in files}
    yield found, reader
    reader.context.close()


def test_every_link_leads_to_a_page_and_a_place_that_are_there(site, pages):
    found, _ = pages
    dead, followed = [], set()
    for page, content in found.items():
        for link in content["links"]:
            place, anchor = urldefrag(link)
            if urlsplit(place).scheme != "file":
                continue
            target = Path(unquote(urlsplit(place).path))
            followed.add(target)
            names = found[target]["names"] if target in found else []
            if not target.is_file() or (anchor and unquote(anchor) not in names):
                dead.append(f"{page.relative_to(site)}: {link}")
    assert dead == []
    assert site / "reports/examples/quickstart/index.html" in followed
    assert site / "studies/replicate/clara_tables.yaml" in followed
    assert site / "how_it_is_built.html" in followed


def test_every_page_of_the_site_can_be_reached(site, pages):
    found, _ = pages
    linked = {
        urldefrag(link)[0] for content in found.values() for link in content["links"]
    }
    assert [page for page in found if page.as_uri() not in linked] == []


def test_the_site_asks_no_other_machine_and_complains_about_nothing(pages):
    _, reader = pages
    assert {urlsplit(url).scheme for url in reader.requests} <= {"file", "data", "blob"}
    assert reader.said == []


def test_every_picture_is_shown(pages):
    found, _ = pages
    assert [one for content in found.values() for one in content["pictures"]] == []


def test_the_site_has_no_page_wider_than_a_phone(site, browser):
    reader = Reader(browser, PHONE)
    files = [one for one in site.rglob("*.html") if "reports" not in one.parts]
    wide = [file.name for file in files if reader.read(file)["wide"]]
    reader.context.close()
    assert wide == []


def test_a_word_is_found_from_disk(site, browser):
    reader = Reader(browser)
    reader.read(site / "index.html")
    reader.page.locator("input[name=query]").fill("portfolio")
    first = reader.page.locator(".md-search-result__item a").first
    first.wait_for()
    assert "rules.html" in first.get_attribute("href")
    assert reader.said == []
    reader.context.close()


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_on_its_page(module, site):
    name = module.rpartition("hpo_vs_adapt.")[2] or module
    text = (site / "api" / f"{name}.html").read_text(encoding="utf-8")
    known = set(re.findall(r'id="([\w.]+)"', text))
    public = importlib.import_module(module).__all__
    assert {f"{module}.{one}" for one in public} <= known
