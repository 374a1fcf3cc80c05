"""The option `--log`: trials to TensorBoard or MLflow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from hpo_vs_adapt.cli.messages import complain, say
from hpo_vs_adapt.study import Study

if TYPE_CHECKING:
    from hpo_vs_adapt.observers.logs.logs import TrialLogs

__all__ = ["Log", "logging_trials"]

Log = Annotated[
    list[str] | None,
    typer.Option(
        "--log",
        metavar="NAME[=PLACE]",
        help="Also log every trial, as a run of its own: tensorboard (into a folder) "
        "or mlflow (at a tracking URI). May be given more than once.",
        show_default=False,
    ),
]


@contextmanager
def logging_trials(
    wanted: Sequence[str] | None, study: Study
) -> Iterator[TrialLogs | None]:
    """Log trials until the block ends, then say where, or why some are not there.

    A log that fails is no reason to fail: what was trained is on disk.

    Raises:
        LogProblem: If a log cannot be opened.
    """
    if not wanted:
        yield None
        return
    from hpo_vs_adapt.observers.logs.logs import open_logs

    with open_logs(wanted, study) as logs:
        yield logs
        if logs.waiting:
            complain(f"Logging {logs.waiting} more trials; Ctrl-C leaves them out.")
    for summary in logs.summaries():
        say(summary)
    for problem in logs.problems:
        complain(
            f"Not all trials were logged: {problem} The records of all are kept; "
            "`hpo-vs-adapt report` with the same `--log` logs what is missing."
        )
