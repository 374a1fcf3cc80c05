"""Trials as event files of TensorBoard, a folder each."""

from __future__ import annotations

import importlib
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from typing_extensions import override

from hpo_vs_adapt.observers.logs.trials import LoggedTrial, LogProblem, TrialLog
from hpo_vs_adapt.partial_files import is_abandoned, partial_name

__all__ = ["TensorBoardLog"]

_FILE = "trial.json"


class TensorBoardLog(TrialLog):
    """Folders ``<folder>/<study>/<workload>/<arm>/.../<number>``, as in Optuna.

    Each appears whole or not at all, with what it holds in ``trial.json``. A trial that
    has changed since, say because it crashed and was trained again, replaces its
    folder. The last evaluation is dated at the time of logging, the others by the
    seconds of training that lie between.

    Args:
        folder: Made if it is not there.

    Raises:
        LogProblem: If TensorBoard is not installed or the folder cannot be written.
    """

    title = "TensorBoard"

    def __init__(self, folder: Path) -> None:
        try:
            self._tensorboard = importlib.import_module("torch.utils.tensorboard")
        except ImportError as error:  # none, or one that is too old for torch
            raise LogProblem(
                f"`--log tensorboard` needs the package tensorboard: {error}. Install "
                "it with: pip install 'hpo-vs-adapt[tensorboard]'"
            ) from None
        self._folder = folder
        self.hint = f"tensorboard --logdir {folder}"
        with self._explained():
            folder.mkdir(parents=True, exist_ok=True)
            with self._scratch():
                pass
        for path in filter(is_abandoned, folder.iterdir()):
            shutil.rmtree(path, ignore_errors=True)

    @override
    def write(self, trial: LoggedTrial) -> bool:
        target = self._folder.joinpath(*trial.place)
        with self._explained():
            if _digest_in(target) == trial.digest:
                return False
            with self._scratch() as scratch:
                self._fill(scratch / "new", trial)
                target.parent.mkdir(parents=True, exist_ok=True)
                if target.exists():
                    target.rename(scratch / "old")
                (scratch / "new").rename(target)
        return True

    def _fill(self, folder: Path, trial: LoggedTrial) -> None:
        now = time.time()
        with self._tensorboard.SummaryWriter(str(folder)) as writer:
            for point in trial.points():
                writer.add_scalar(point.name, point.value, point.step, now - point.ago)
            writer.add_text("trial", _as_table(trial), trial.cost)
            # What one filters and sorts by on the page of hyperparameters.
            shown = {n: trial.tags[n] for n in ("workload", "arm", "role", "end")}
            writer.add_hparams(
                {**trial.params, **shown, "seed": int(trial.tags["seed"])},
                {f"final/{name}": value for name, value in trial.final.items()},
                run_name=".",  # in this folder, not in one below
                global_step=trial.cost,
            )
        described = {"digest": trial.digest, **trial.tags}
        (folder / _FILE).write_text(json.dumps(described, indent=1) + "\n")

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        """Make a folder beside the runs, so that one can be moved into its place."""
        path = self._folder / partial_name()
        path.mkdir()
        try:
            yield path
        finally:
            shutil.rmtree(path)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LogProblem(
                f"{self._folder} cannot be written: {error.strerror or error}. Make "
                "room there, or name another folder: --log tensorboard=DIR."
            ) from error


def _digest_in(folder: Path) -> str | None:
    """Return the digest of the trial that a folder holds, or None if there is none.

    Raises:
        LogProblem: If the folder holds something else.
    """
    if not folder.exists():
        return None
    try:
        return str(json.loads((folder / _FILE).read_text())["digest"])
    except (OSError, ValueError, KeyError) as error:
        raise LogProblem(
            f"{folder} is in the way: it holds no logged trial. Move it, or name "
            "another folder: --log tensorboard=DIR."
        ) from error


def _as_table(trial: LoggedTrial) -> str:
    """Return the tags as a table in Markdown."""
    rows = [
        f"| {name} | {value.replace('|', chr(92) + '|')} |"
        for name, value in trial.tags.items()
    ]
    return "\n".join(["| | |", "|-|-|", *rows])
