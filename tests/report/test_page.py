"""The page as text: what it may load and run, and what its size is."""

import base64
import hashlib
import re

import pytest

from hpo_vs_adapt.report.html.page import render_page
from hpo_vs_adapt.tables.catalogue import Tables
from tests.report import builder


@pytest.fixture(scope="module")
def render():
    """Return a function that renders the page of a study without its figures."""

    def rendered(study):
        return render_page(Tables(builder.finished(study)), [])

    return rendered


@pytest.fixture(scope="module")
def page(render):
    arms = [builder.grid_arm("</script><b>"), builder.adaptive_arm("a\u2028b'\"&")]
    entries = [builder.workload("trials"), builder.workload("answer")]
    return render(builder.study(arms, entries))


def test_only_the_script_whose_hash_the_policy_names_is_in_the_page(page):
    (script,) = re.findall(r"<script>(.*?)</script>", page, flags=re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    others = re.findall(r"<script ([^>]*)>", page)
    assert all("application/json" in attributes for attributes in others)


def test_nothing_in_the_page_points_to_a_server(page):
    assert re.findall(r'(?:src|href)="(?:https?:)?//', page) == []
    assert "@import" not in page
    assert "url(http" not in page


def test_names_end_no_script_and_begin_no_element(page):
    assert "</script><b>" not in page
    assert "<b>&#34;" not in page
    assert "&lt;/script&gt;&lt;b&gt;" in page


def test_a_workload_may_be_called_as_a_section_is(page):
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert {"trials", "answer", "workload-trials", "workload-answer"} <= set(ids)


def test_every_link_within_the_page_leads_somewhere(page):
    ids = set(re.findall(r'\bid="([^"]*)"', page))
    links = set(re.findall(r'href="#([^"]*)"', page))
    assert len(links) > 15
    assert links <= ids


def test_equal_results_give_equal_pages(render):
    study = builder.study([builder.fixed_arm()], sweep=False)
    assert render(study) == render(study)


def test_topics_without_figures_or_tables_are_left_out(render):
    text = render(builder.study([builder.fixed_arm()], sweep=False))
    assert 'id="workload-digits-mlp-bills"' in text
    assert 'id="workload-digits-mlp-break-even"' not in text
    assert 'id="workload-digits-mlp-sensitivity"' not in text


def test_the_overview_has_columns_of_tuning_if_anything_was_tuned(page, render):
    entries = [builder.workload("first"), builder.workload("second")]
    text = render(builder.study([builder.fixed_arm()], entries, sweep=False))
    assert "Workload by workload" in text
    for words in ("Cheapest tuned", "Pays after"):
        assert words in page
        assert words not in text
