"""Reports and tables that are made when a test first asks for them, once a session."""

import functools

import pytest

from hpo_vs_adapt.report import write_report
from hpo_vs_adapt.tables.catalogue import Tables
from tests.report import builder
from tests.report.browsing import STUDIES, Visit
from tests.report.rich_study import rich


@pytest.fixture(scope="session")
def rich_tables():
    """The tables of the study that fills every one of them."""
    return Tables(rich())


@pytest.fixture(scope="session")
def tables_of_two():
    """The tables of a study of two workloads, an accuracy and a loss."""
    entries = [builder.workload(), builder.workload("valley", 0.3, builder.LOSS)]
    return Tables(builder.finished(builder.study(workloads=entries)))


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    """Return by the name of a study its results and the directory of its report."""
    folder = tmp_path_factory.mktemp("reports")

    @functools.cache
    def made(name):
        results = STUDIES[name]()
        write_report(Tables(results), folder / name)
        return results, folder / name

    return made


@pytest.fixture(scope="session")
def opened(browser, report):
    """Return by the name of a study its page, for tests that leave it as it is."""
    return functools.cache(lambda name: Visit(browser, report(name)[1]))
