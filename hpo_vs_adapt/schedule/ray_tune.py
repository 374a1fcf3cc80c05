"""Ray Tune: one `Tuner.fit()` trains the packs of a whole study."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune
from ray.exceptions import RayActorError
from ray.tune.experiment import Trial
from ray.tune.search import Searcher
from typing_extensions import override

from hpo_vs_adapt.plan.packs import PackJob
from hpo_vs_adapt.plan.plan import Plan
from hpo_vs_adapt.plan.tracks import Request
from hpo_vs_adapt.plugins.references import package_root
from hpo_vs_adapt.schedule.addresses import check_address, no_cluster
from hpo_vs_adapt.schedule.board import Board, ScheduleSummary, Slots
from hpo_vs_adapt.schedule.worker import PackWorker, measure_job
from hpo_vs_adapt.study import Resources
from hpo_vs_adapt.wording import Problem
from hpo_vs_adapt.workloads.base import Arrays

__all__ = ["run_packs"]

_REPORT_SECONDS = 0.5  # a pack reports about so often, at evaluations only
_CHECKPOINT_SECONDS = 20.0
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


class PackTrainable(tune.Trainable):
    """Ray's shell around a worker; one process trains one pack after another."""

    _worker: PackWorker
    _checkpoint_seconds: float
    _checkpointed: float

    @override
    def setup(  # type: ignore[override]  # `tune.with_parameters` gives the rest
        self,
        config: dict[str, Any],
        arrays: Mapping[str, Arrays],
        slots: Slots,
        checkpoint_seconds: float,
    ) -> None:
        self._checkpoint_seconds = checkpoint_seconds
        gpu = slots.gpu > 0 and _claim_gpu(slots.gpu)
        self._worker = PackWorker(arrays, "cuda" if gpu else "cpu", slots.threads)
        self._begin(config)

    @override
    def step(self) -> dict[str, Any]:
        report = self._worker.work(_REPORT_SECONDS)
        now = time.monotonic()
        due = now - self._checkpointed > self._checkpoint_seconds
        if due:
            self._checkpointed = now
        done = self._worker.done or report.failure is not None
        return {"report": report, "done": done, "should_checkpoint": due and not done}

    @override
    def reset_config(self, new_config: dict[str, Any]) -> bool:
        # Without this, `save_checkpoint` and `load_checkpoint` Ray starts a fresh
        # process for every trial, though it was asked to reuse them.
        self._begin(new_config)
        return True

    @override
    def save_checkpoint(self, checkpoint_dir: str) -> None:
        self._worker.save(Path(checkpoint_dir))

    @override
    def load_checkpoint(self, checkpoint: dict[str, Any] | str | None) -> None:
        assert isinstance(checkpoint, str)  # what `save_checkpoint` was given
        self._worker.load(Path(checkpoint))

    def _begin(self, config: dict[str, Any]) -> None:
        self._worker.begin(config["job"])
        self._checkpointed = time.monotonic()


class _PackSearcher(Searcher):
    """Hands out packs, for as long as streams ask for trials."""

    def __init__(self, board: Board) -> None:
        super().__init__()
        self._board = board

    @override
    def suggest(self, trial_id: str) -> Any:
        with self._board.keeping_errors():
            job = self._board.next_job(trial_id)
        if job is not None:
            return {"job": job}
        return Searcher.FINISHED if self._board.plan.exhausted else None

    @override
    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        if not error:  # of a pack that is given up `_Listener` hears, and why
            self._board.ended(trial_id)

    @override
    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """A study is replayed from its records; Ray has nothing to keep."""

    @override
    def save(self, checkpoint_path: str) -> None:
        """As `save_to_dir`."""

    @override
    def restore(self, checkpoint_path: str) -> None:
        """As `save_to_dir`."""


class _Listener(tune.Callback):
    """Takes the reports of the packs as they come."""

    def __init__(self, board: Board) -> None:
        self._board = board

    @override
    def on_trial_result(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        with self._board.keeping_errors():
            # Taken out, so that Ray does not keep every curve.
            self._board.take(trial.trial_id, result.pop("report"))

    @override
    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        error = _error_of(trial)
        with self._board.keeping_errors():
            if isinstance(error, RayActorError) and error.actor_init_failed:
                raise WorkerProblem(
                    "No worker could start, so nothing was trained. The machines must "
                    f"have all that this one has installed. {error}"
                )
            lines = str(error or "").strip().splitlines()
            self._board.lost(trial.trial_id, lines[0] if lines else "Ray says no more")


def _error_of(trial: Trial) -> BaseException | None:
    """Return why Ray has given a pack up; it has only just written it down."""
    file = Path(trial.pickled_error_file or "")
    return pickle.loads(file.read_bytes()) if file.is_file() else None


def run_packs(
    plan: Plan,
    resources: Resources,
    address: str | None = None,
    verbose: bool = False,
) -> ScheduleSummary:
    """Train what a plan asks for until every stream has all its results.

    Args:
        plan: Gives packs and takes records.
        resources: CPUs and GPUs of a pack, lanes, retries.
        address: A running cluster to join (``auto``, ``host:port``), or None to start
            Ray on this machine for as long as it takes.
        verbose: Whether to show what Ray and its workers print.

    Raises:
        ResourceProblem: If the cluster cannot place one pack.
        AddressProblem: If there is no cluster at `address`.
        WorkerProblem: If no worker can be started on its machines.
        ModelProblem: If a workload's model has frozen parameters.
    """
    for prepared in plan.prepared.values():
        prepared.checked_model()  # before Ray takes its seconds
    with _ray_session(plan, address, verbose), _scratch() as scratch:
        slots = _slots(resources)
        arrays = {name: subject.arrays for name, subject in plan.prepared.items()}
        lanes = _LaneSizes(plan, resources, slots, arrays)
        board = Board(plan, slots, lanes.most)
        trainable = tune.with_resources(
            tune.with_parameters(
                PackTrainable,
                arrays=arrays,
                slots=slots,
                checkpoint_seconds=_CHECKPOINT_SECONDS,
            ),
            {"cpu": slots.cpu, "gpu": slots.gpu},
        )
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=_PackSearcher(board),
                num_samples=-1,
                max_concurrent_trials=slots.packs,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name=plan.study.name,
                storage_path=scratch,
                verbose=2 if verbose else 0,
                callbacks=[_Listener(board)],
                failure_config=tune.FailureConfig(max_failures=resources.retries),
                checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
            ),
        )
        try:
            tuner.fit()
        finally:
            if board.error is not None:  # of which Ray has kept the text only
                raise board.error from None
    return board.summary


class ResourceProblem(Problem):
    """The machines have less than one pack was promised."""


class WorkerProblem(Problem):
    """The machines cannot start a worker."""


class _LaneSizes:
    """Largest packs, by workload and batch size, each measured once."""

    def __init__(
        self,
        plan: Plan,
        resources: Resources,
        slots: Slots,
        arrays: Mapping[str, Arrays],
    ) -> None:
        self._plan = plan
        self._resources = resources
        self._slots = slots
        self._arrays = arrays
        self._known: dict[tuple[object, ...], int] = {}

    def most(self, request: Request) -> int:
        """Return the largest pack for trials like this one."""
        if self._resources.lanes is not None:
            return self._resources.lanes
        spec = request.spec
        # The rule matters little beside the gradient.
        kind = (request.track.prepared.entry.name, spec.batch_size)
        if kind not in self._known:
            self._known[kind] = self._measure(request)
        return self._known[kind]

    def _measure(self, request: Request) -> int:
        job = self._plan.sample_job(request)
        slots = self._slots
        threads, memory = slots.threads, slots.memory
        if not slots.gpu:
            return measure_job(job, self._arrays, "cpu", threads, memory)
        measure = ray.remote(num_cpus=slots.cpu, num_gpus=slots.gpu)(_measure_remotely)
        return ray.get(measure.remote(job, self._arrays, slots))


def _measure_remotely(job: PackJob, arrays: Mapping[str, Arrays], slots: Slots) -> int:
    if not _claim_gpu(slots.gpu):
        return measure_job(job, arrays, "cpu", slots.threads, slots.memory)
    total = torch.cuda.get_device_properties(0).total_memory
    return measure_job(job, arrays, "cuda", slots.threads, slots.gpu * total)


def _claim_gpu(share: float) -> bool:
    """Whether there is a GPU behind Ray's number; keep to a share of its memory."""
    if not torch.cuda.is_available():
        return False  # a GPU that Ray was told of and that is not there
    if share < 1:
        torch.cuda.set_per_process_memory_fraction(share)
    return True


def _slots(resources: Resources) -> Slots:
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
def _ray_session(plan: Plan, address: str | None, verbose: bool) -> Iterator[None]:
    """Use the Ray that runs in this process, or connect, or start one, and stop it."""
    os.environ.update(_RAY_SETTINGS)
    level = logging.INFO if verbose else logging.CRITICAL
    logging.getLogger("ray").setLevel(level)
    if ray.is_initialized():
        yield
        return
    if address is not None:
        check_address(address)
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


@contextlib.contextmanager
def _scratch() -> Iterator[str]:
    """A folder for what Ray writes; nothing in it is needed later."""
    folder = tempfile.mkdtemp(prefix="hpo_vs_adapt-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
