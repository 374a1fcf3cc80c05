from __future__ import annotations

import pytest
import torch
from hypothesis import settings

# The same examples everywhere and every time, however slow the machine.
settings.register_profile("same", max_examples=50, deadline=None, derandomize=True)
settings.load_profile("same")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a CUDA device where there is none."""
    if torch.cuda.is_available():
        return
    no_device = pytest.mark.skip(reason="no CUDA device")
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(no_device)
