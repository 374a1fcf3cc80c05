"""The Ray that trains: joined or started, and how packs share its machines."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray

from hpo_vs_adapt.plan.plan import Plan
from hpo_vs_adapt.plugins.references import package_root
from hpo_vs_adapt.schedule.addresses import check_address, no_cluster
from hpo_vs_adapt.schedule.board import Slots
from hpo_vs_adapt.study import Resources
from hpo_vs_adapt.wording import Problem

__all__ = ["ResourceProblem", "find_slots", "ray_session"]

# Ray's own loggers write a folder of files a trial; records are ours to write. A study
# is replayed, so Ray's snapshots of the experiment are not needed either.
_RAY_SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


class ResourceProblem(Problem):
    """The machines have less than one pack was promised."""


def find_slots(resources: Resources) -> Slots:
    """Return how packs share the cluster."""
    have: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    cpus, gpus = have.get("CPU", 0.0), have.get("GPU", 0.0)
    gpu = resources.gpu if resources.gpu is not None else min(1.0, gpus)
    fit = [cpus // resources.cpu]
    if gpu:
        fit.append(gpus / gpu)
    packs = int(min(fit))
    if packs < 1:
        raise ResourceProblem(
            f"`resources` must fit the machines: a pack takes {resources.cpu:g} "
            f"CPUs and {gpu:g} GPUs; Ray has {cpus:g} CPUs and {gpus:g} GPUs."
        )
    if resources.packs is not None:
        packs = min(packs, resources.packs)
    # Half is left to data, the object store and everything else.
    memory = have.get("memory", 4e9) / packs / 2
    return Slots(resources.cpu, gpu, packs, memory)


@contextlib.contextmanager
def ray_session(plan: Plan, address: str | None, verbose: bool) -> Iterator[None]:
    """Use the Ray that runs in this process, or connect, or start one, and stop it."""
    os.environ.update(_RAY_SETTINGS)
    level = logging.INFO if verbose else logging.CRITICAL
    logging.getLogger("ray").setLevel(level)
    if address is not None:
        check_address(address)
    if ray.is_initialized():
        yield
        return
    try:
        ray.init(
            address=address or "local",
            include_dashboard=None if address else False,
            log_to_driver=verbose,
            logging_level=level,
            runtime_env=_runtime_environment(plan) if address else None,
        )
    except ConnectionError as error:
        raise no_cluster(address) from error
    try:
        yield
    finally:
        ray.shutdown()


def _runtime_environment(plan: Plan) -> dict[str, Any]:
    """Return what travels to the machines of a cluster: this package and the user's."""
    references = [entry.reference for entry in plan.study.workloads]
    references += list(plan.rules)
    roots = {Path(__file__).parents[1]}
    roots |= {root for r in references if (root := package_root(r, plan.base))}
    return {"py_modules": sorted(str(root) for root in roots)}
