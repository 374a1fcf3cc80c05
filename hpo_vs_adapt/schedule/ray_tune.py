"""Ray Tune: one `Tuner.fit()` trains the packs of a whole study."""

from __future__ import annotations

import contextlib
import pickle
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ray import tune
from ray.exceptions import RayActorError
from ray.tune.experiment import Trial
from ray.tune.search import Searcher
from typing_extensions import override

from hpo_vs_adapt.plan.plan import Plan
from hpo_vs_adapt.schedule.board import Board, ScheduleSummary
from hpo_vs_adapt.schedule.lane_sizes import LaneSizes
from hpo_vs_adapt.schedule.session import find_slots, ray_session
from hpo_vs_adapt.schedule.trainable import PackTrainable
from hpo_vs_adapt.study import Resources
from hpo_vs_adapt.wording import Problem

__all__ = ["WorkerProblem", "run_packs"]

_CHECKPOINT_SECONDS = 20.0


class WorkerProblem(Problem):
    """The machines cannot start a worker."""


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
    with ray_session(plan, address, verbose), _scratch() as scratch:
        slots = find_slots(resources)
        arrays = {name: subject.arrays for name, subject in plan.prepared.items()}
        lanes = LaneSizes(plan, resources, slots, arrays)
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


@contextlib.contextmanager
def _scratch() -> Iterator[str]:
    """A folder for what Ray writes; nothing in it is needed later."""
    folder = tempfile.mkdtemp(prefix="hpo_vs_adapt-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
