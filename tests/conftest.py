from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

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


# Before xdist reads the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep modules whole and the slowest first; skip what needs a device we lack.

    Tests of one group are given to one process: those of a module, which share what it
    makes for them, or of all modules that name the same group.
    """
    no_device = pytest.mark.skip(reason="no CUDA device")
    for item in items:
        if "gpu" in item.keywords and not torch.cuda.is_available():
            item.add_marker(no_device)
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    slow = Counter(_group(item) for item in items if "slow" in item.keywords)
    items.sort(key=lambda item: -slow[_group(item)])


def _group(item: pytest.Item) -> str:
    mark = item.get_closest_marker("xdist_group")
    assert mark is not None
    return str(mark.args[0])
