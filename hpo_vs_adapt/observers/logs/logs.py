"""Logging trials to TensorBoard and MLflow while others train."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType

from typing_extensions import override

from hpo_vs_adapt.observers.logs.trials import (
    LoggedTrial,
    LogProblem,
    TrialLog,
    make_logged_trials,
)
from hpo_vs_adapt.plan.events import Answer, AtWork, Listener
from hpo_vs_adapt.study import Study

__all__ = ["LOGS", "LogProblem", "TrialLogs", "open_logs"]


_SECONDS = 0.25  # between two looks at what has ended: many at once are quicker


class TrialLogs(Listener):
    """Logs that are written in threads of their own, so that no trial waits for them.

    The end of a ``with`` block waits until all is written; Ctrl-C and errors leave out
    what is not. A log that fails is left alone from then on, and `problems` says why:
    the records are kept, so it can be logged later.

    Args:
        study: That the trials belong to.
        logs: Where each trial goes.
    """

    does = "Logging trials"

    def __init__(self, study: Study, logs: Iterable[TrialLog]) -> None:
        self._study = study
        self._ended: list[Answer] = []
        self._due = 0.0
        self._writers = [_Writer(log) for log in logs]

    def __enter__(self) -> TrialLogs:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for writer in self._writers:
            writer.end(at_once=kind is not None)
        try:
            for writer in self._writers if kind is None else ():
                writer.join()
        except KeyboardInterrupt:
            for writer in self._writers:
                writer.end(at_once=True)
            raise

    @property
    def waiting(self) -> int:
        """How many trials are not yet written, counted for each log."""
        return sum(writer.waiting for writer in self._writers)

    @property
    def problems(self) -> list[LogProblem]:
        """Why trials were not logged, one a log at most."""
        return [w.problem for w in self._writers if w.problem is not None]

    @override
    def told(self, answer: Answer) -> None:
        self._ended.append(answer)

    @override
    def changed(self, now: AtWork | None) -> None:
        if time.monotonic() >= self._due:
            self._pass_on()
            self._due = time.monotonic() + _SECONDS

    @override
    def closed(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        ended, self._ended = self._ended, []
        for trial in make_logged_trials(self._study, ended):
            for writer in self._writers:
                writer.add(trial)

    def summaries(self) -> list[str]:
        """Return what was logged and how to look at it, a sentence for each log."""
        return [writer.summary() for writer in self._writers]


class _Writer:
    """One log and its thread, which does not outlive the process: logs can wait."""

    def __init__(self, log: TrialLog) -> None:
        self.problem: LogProblem | None = None
        self._log = log
        self._added = self._new = self._there = 0
        self._at_once = False
        self._queue: SimpleQueue[LoggedTrial | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return 0 if self.problem else self._added - self._new - self._there

    def add(self, trial: LoggedTrial) -> None:
        self._added += 1
        self._queue.put(trial)

    def end(self, at_once: bool) -> None:
        """Have the thread end, when all is written or after the trial it is at."""
        self._at_once = at_once
        self._queue.put(None)

    def join(self) -> None:
        self._thread.join()

    def summary(self) -> str:
        count = self._new + self._there
        there = f", {self._there} of them before" if self._there else ""
        return f"{self._log.title}: {count} trials logged{there}. {self._log.hint}"

    def _work(self) -> None:
        while (trial := self._queue.get()) is not None and not self._at_once:
            if self.problem is None:
                self._write(trial)

    def _write(self, trial: LoggedTrial) -> None:
        try:
            new = self._log.write(trial)
        except LogProblem as problem:
            self.problem = problem
            return
        self._new += new
        self._there += not new


def open_logs(wanted: Sequence[str], study: Study) -> TrialLogs:
    """Return the logs that are asked for, opened, so that mistakes show at once.

    Args:
        wanted: Names in `LOGS`, each with ``=PLACE`` behind it if it is not to be in
            ``logs`` beside the records: a folder for ``tensorboard``, a tracking URI
            for ``mlflow`` (which also follows MLFLOW_TRACKING_URI).
        study: Whose trials are logged.

    Raises:
        LogProblem: If there is no such log, what it needs is not installed, or it
            cannot be opened.
    """
    logs = []
    for name in dict.fromkeys(wanted):
        kind, _, place = name.partition("=")
        if kind not in LOGS:
            raise LogProblem(f"`--log` must be {' or '.join(LOGS)}; got {kind!r}.")
        logs.append(LOGS[kind](study, place))
    return TrialLogs(study, logs)


def _tensorboard(study: Study, place: str) -> TrialLog:
    from hpo_vs_adapt.observers.logs.tensorboard import TensorBoardLog

    return TensorBoardLog(Path(place) if place else _folder(study) / "tensorboard")


def _mlflow(study: Study, place: str) -> TrialLog:
    from hpo_vs_adapt.observers.logs.mlflow import MlflowLog

    uri = place or os.environ.get("MLFLOW_TRACKING_URI", "")
    if uri:
        return MlflowLog(study.name, uri)
    folder = _folder(study).absolute()
    return MlflowLog(
        study.name, f"sqlite:///{folder / 'mlflow.db'}", folder / "mlflow-artifacts"
    )


def _folder(study: Study) -> Path:
    """Return the folder of logs: beside the records, or here if those are remote."""
    place = study.storage.records.removeprefix("file://")
    return Path("logs") if "://" in place else Path(place).parent / "logs"


LOGS: dict[str, Callable[[Study, str], TrialLog]] = {
    "tensorboard": _tensorboard,
    "mlflow": _mlflow,
}
"""What `--log` can name."""
