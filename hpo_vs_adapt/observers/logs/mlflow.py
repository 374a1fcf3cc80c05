"""Trials as runs of MLflow."""

from __future__ import annotations

import importlib
import itertools
import logging
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typing_extensions import override

from hpo_vs_adapt.observers.logs.trials import LoggedTrial, LogProblem, TrialLog
from hpo_vs_adapt.wording import Secrets, mask_uri

__all__ = ["MlflowLog"]

_DIGEST = "hpo_vs_adapt.digest"
_BATCH = 1000  # metrics and params that MLflow takes at a time
_PAGE = 1000  # runs that it lists at a time


class MlflowLog(TrialLog):
    """Runs in an experiment of the study's name.

    A run is known by the digest in its tags. One that is there is left, whoever logged
    it; one that was killed halfway is deleted and written anew. Nothing else is ever
    deleted, since a tracking server is shared: a trial that has changed since, say
    because it crashed and was trained again, gets a second run.

    Args:
        study: Name of the study.
        uri: Of the tracking server, or of a database such as
            ``sqlite:///logs/mlflow.db``.
        artifacts: Where a local experiment keeps files, beside its database; None: the
            server decides.

    Raises:
        LogProblem: If MLflow is not installed or nobody answers at `uri`.
    """

    title = "MLflow"

    def __init__(self, study: str, uri: str, artifacts: Path | None = None) -> None:
        # It would tell its makers of every start; who wants that can set it.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        # At a server every run would be two lines of addresses in the terminal.
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        try:
            self._entities = importlib.import_module("mlflow.entities")
            self._mlflow = importlib.import_module("mlflow.exceptions")
            tracking = importlib.import_module("mlflow.tracking")
        except ModuleNotFoundError as error:
            raise LogProblem(
                f"`--log mlflow` needs the package {error.name!r}. Install it with: "
                "pip install 'hpo-vs-adapt[mlflow]'"
            ) from None
        # Every table that a new database gets would be a line in the terminal.
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
        self._secrets = Secrets(uri)
        self._shown = shown = mask_uri(uri)
        remote = uri.startswith("http")
        self.hint = f"At {shown}" if remote else f"mlflow ui --backend-store-uri {shown}"
        with self._explained("opened"), _impatient():
            if artifacts is not None:
                artifacts.parent.mkdir(parents=True, exist_ok=True)
            self._client = tracking.MlflowClient(tracking_uri=uri)
            self._experiment = self._open(study, artifacts)
            self._known = dict(self._find())

    @override
    def write(self, trial: LoggedTrial) -> bool:
        digest = trial.digest
        with self._explained("written"):
            if digest in self._known:
                run, finished = self._known[digest]
                if finished:
                    return False
                self._client.delete_run(run)
            now = time.time()
            run = self._client.create_run(
                self._experiment,
                start_time=_milliseconds(now - trial.final["seconds"]),
                run_name="/".join(trial.place[1:]),
                tags={
                    **trial.tags,
                    **_description(trial),
                    "mlflow.source.name": "hpo-vs-adapt",
                    _DIGEST: digest,
                },
            ).info.run_id
            self._fill(run, trial, now)
            status = "FAILED" if trial.tags["end"] == "crashed" else "FINISHED"
            self._client.set_terminated(run, status, _milliseconds(now))
        self._known[digest] = (run, True)
        return True

    def _fill(self, run: str, trial: LoggedTrial, now: float) -> None:
        param, metric = self._entities.Param, self._entities.Metric
        params = [param(name, str(value)) for name, value in trial.params.items()]
        metrics = [
            metric(name, value, _milliseconds(now - ago), step)
            for name, step, ago, value in trial.points()
            # Its pages leave out a curve that ends in NaN, and keep an infinity as the
            # largest number there is.
            if math.isfinite(value)
        ]
        metrics += [
            metric(f"final/{name}", value, _milliseconds(now), trial.cost)
            for name, value in trial.final.items()
        ]
        size = _BATCH - len(params)
        for start in range(0, len(metrics), size):
            chunk = metrics[start : start + size]
            self._client.log_batch(run, chunk, () if start else params)

    def _open(self, name: str, artifacts: Path | None) -> str:
        """Return the id of an experiment, made if it is not there."""
        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            place = None if artifacts is None else artifacts.absolute().as_uri()
            return str(self._client.create_experiment(name, artifact_location=place))
        if experiment.lifecycle_stage != "active":
            raise LogProblem(
                f"The experiment {name!r} was deleted from {self._shown}. Restore it "
                f"(mlflow experiments restore -x {experiment.experiment_id}), or "
                "rename the study."
            )
        return str(experiment.experiment_id)

    def _find(self) -> Iterator[tuple[str, tuple[str, bool]]]:
        """Yield the digests that are there, each with its run and whether it ended."""
        token: str | None = None
        for _ in itertools.count():
            runs = self._client.search_runs(
                [self._experiment], max_results=_PAGE, page_token=token
            )
            for run in runs:
                tags: Mapping[str, Any] = run.data.tags
                if _DIGEST in tags:
                    ended = run.info.status != "RUNNING"
                    yield tags[_DIGEST], (run.info.run_id, ended)
            token = runs.token
            if not token:
                return

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (OSError, self._mlflow.MlflowException) as error:
            reason = self._secrets.hide(str(error).partition("\n")[0])
            raise LogProblem(
                f"{self._shown} cannot be {doing}: {reason} Check MLFLOW_TRACKING_URI, "
                "or name another place: --log mlflow=URI."
            ) from error


@contextmanager
def _impatient() -> Iterator[None]:
    """Have MLflow's client try once more at most, and not for minutes.

    Its patience is for servers that limit rates, not for addresses with a mistake.
    """
    name = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    before = os.environ.get(name)
    os.environ[name] = before or "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)


def _description(trial: LoggedTrial) -> dict[str, str]:
    """Return the tag with which a run says why it has not run as planned."""
    texts = {
        "crashed": f"Crashed: {trial.tags.get('error', 'no reason is known.')}",
        "diverged": f"Diverged after {trial.cost} sample gradients: loss or weights "
        "were no longer finite. Curves end at their last finite value.",
        "pruned": f"Pruned after {trial.cost} sample gradients.",
    }
    end = trial.tags["end"]
    return {"mlflow.note.content": texts[end]} if end in texts else {}
