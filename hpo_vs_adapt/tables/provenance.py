"""With what a study was run: versions, revision, hardware."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import torch

__all__ = ["read_provenance"]


def read_provenance() -> dict[str, str]:
    """Return versions, the revision of this package's source, and the hardware."""
    return {
        "package": version("hpo-vs-adapt"),
        "revision": _revision(),
        "python": platform.python_version(),
        "torch": version("torch"),
        "ray": version("ray"),
        "optuna": version("optuna"),
        "hardware": _hardware(),
    }


def _revision() -> str:
    """Return the git revision of the source, or ``unknown`` outside a checkout."""
    folder = Path(__file__).parents[2]
    if not (folder / ".git").exists():
        return "unknown"
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--tags"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def _hardware() -> str:
    system = f"{platform.machine()} {sys.platform}"
    parts = [f"{os.cpu_count()} CPU cores ({_cpu_name()}, {system})"]
    parts += [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    return ", ".join(parts)


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
