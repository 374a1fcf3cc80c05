from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# The same examples everywhere and every time, however slow the machine.
settings.register_profile("same", max_examples=50, deadline=None, derandomize=True)
settings.load_profile("same")


@pytest.fixture(scope="session", autouse=True)
def _ray_ends_with_the_tests() -> Iterator[None]:
    """Stop the Ray that `ray_here` has left for the next test, if there is one."""
    yield
    if "ray" in sys.modules:  # most tests need no Ray, and its import takes seconds
        sys.modules["ray"].shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The installed Chromium; Playwright runs once in a process, whoever asks."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-sync"]
    flags += ["--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=flags
        )
        yield chromium
        chromium.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Take the slowest groups first; skip what needs a device we lack."""
    no_device = pytest.mark.skip(reason="no CUDA device")
    for item in items:
        if "gpu" in item.keywords and not torch.cuda.is_available():
            item.add_marker(no_device)
    slow = Counter(_group(item.nodeid) for item in items if "slow" in item.keywords)
    items.sort(key=lambda item: -slow[_group(item.nodeid)])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give every group of tests to one of the processes, in the order of the tests."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    return Groups(config, log)


# Modules that share what is made once a process, and so should be in the same one.
TOGETHER = {
    f"tests/{module}.py": f"tests/{first}.py"
    for module, first in {
        "report/test_browser_controls": "report/test_browser",
        "report/test_files": "report/test_analyses",
        "report/test_trial_tables": "report/test_gallery",
        "observers/logs/test_problems": "observers/logs/test_contents",
        "observers/dashboard/test_notes": "observers/dashboard/test_optuna_studies",
        "observers/dashboard/test_optuna_storage": (
            "observers/dashboard/test_optuna_studies"
        ),
    }.items()
}


def _group(nodeid: str) -> str:
    """Return the module of a test, or the first of those that it goes together with."""
    module = nodeid.partition("::")[0]
    return TOGETHER.get(module, module)
