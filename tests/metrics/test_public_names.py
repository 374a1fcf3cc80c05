"""`hpo_vs_adapt.metrics` hands out its names on demand."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from hpo_vs_adapt import metrics

SOURCE = Path(metrics.__file__).read_text(encoding="utf-8")


def test_type_checkers_see_the_names_that_are_handed_out():
    seen = {
        alias.name: str(node.module)
        for node in ast.walk(ast.parse(SOURCE))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if str(node.module).startswith(metrics.__name__)
    }
    assert sorted(seen) == metrics.__all__
    for name, module in seen.items():
        assert getattr(metrics, name) is getattr(sys.modules[module], name)


def test_a_name_that_is_not_there_is_refused():
    with pytest.raises(AttributeError, match="has no attribute 'bill'"):
        metrics.bill  # noqa: B018


def test_what_a_hit_is_can_be_asked_without_scipy_and_optuna():
    asked = "import sys, hpo_vs_adapt.records.serving; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", asked], check=True, capture_output=True, text=True
    )
    loaded = ran.stdout.split()
    assert "hpo_vs_adapt.metrics.basics.hits" in loaded
    assert not {"scipy", "optuna", "torch"} & set(loaded)
