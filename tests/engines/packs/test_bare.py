"""Packs train on a machine that has torch, NumPy and pandas, and little else."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CODE = """
import importlib, pkgutil, sys

for name in ("ray", "optuna", "pydantic"):
    sys.modules[name] = None  # importing it is an ImportError

for room in ("engines", "optim", "records", "workloads"):
    package = importlib.import_module(f"hpo_vs_adapt.{room}")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)

from tests.packs import make_pack, run, trial

pack = make_pack([trial("digits_mlp", "clara", lr=lr, steps=8) for lr in (0.1, 0.01)])
print(*(result.end.value for result in run(pack).values()))
"""


@pytest.mark.slow  # a process of its own
def test_packs_need_neither_ray_nor_optuna_nor_pydantic():
    command = [sys.executable, "-c", CODE]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("budget budget\n", "")
