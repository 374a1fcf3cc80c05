"""Options with a life of their own: `--log` to other tools, `--watch` now and then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand
from typing_extensions import override

from hpo_vs_adapt.cli.messages import complain, say
from hpo_vs_adapt.study import Study

if TYPE_CHECKING:
    from hpo_vs_adapt.observers.logs.logs import TrialLogs

__all__ = ["Log", "Watch", "WatchCommand", "logging_trials"]

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


_WATCH = "--watch"
_WATCH_SECONDS = 10.0

Watch = Annotated[
    float | None,
    typer.Option(
        _WATCH,
        metavar="[SECONDS]",
        min=0.1,
        max=86_400,
        help="Write it whenever trials have ended, at most so often "
        f"(default {_WATCH_SECONDS:g} s), until all have, or Ctrl-C (exit status 0).",
        show_default=False,
    ),
]


class WatchCommand(TyperCommand):
    """A command whose option `--watch` may stand alone, which typer has no word for."""

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given: list[str] = []
        for arg, following in zip(args, [*args[1:], ""], strict=True):
            given.append(arg)
            if arg == _WATCH and not _is_number(following):
                given.append(f"{_WATCH_SECONDS:g}")
        return super().parse_args(ctx, given)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
