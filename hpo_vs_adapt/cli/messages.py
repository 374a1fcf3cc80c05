"""What the command line says when something ends otherwise than hoped."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.text import Text

from hpo_vs_adapt.observers.terminal.displays import make_console
from hpo_vs_adapt.study import StudyError

__all__ = ["CRASHED", "INTERRUPTED", "WRONG", "complain", "reporting", "say"]

CRASHED, WRONG, INTERRUPTED = 1, 2, 130
"""Exit status: trials crashed; the study or the options are wrong; interrupted."""


@contextmanager
def reporting(verbose: bool) -> Iterator[None]:
    """Turn what a user can mend into one message, and Ctrl-C into its exit status."""
    try:
        yield
    except StudyError as error:
        complain(str(error))
        raise typer.Exit(WRONG) from None
    except _mendable() as error:
        if verbose:
            complain(traceback.format_exc())
        elif not type(error).__module__.startswith("hpo_vs_adapt."):
            error.add_note("(`--verbose` shows where this comes from.)")
        complain("\n".join([str(error), *getattr(error, "__notes__", ())]))
        raise typer.Exit(WRONG) from None
    except KeyboardInterrupt:
        complain("Interrupted.")
        raise typer.Exit(INTERRUPTED) from None


def _mendable() -> tuple[type[Exception], ...]:
    """Return the errors that tell of a wrong study, option, storage or data set."""
    from hpo_vs_adapt.observers.dashboard.mirror import StreamChanged
    from hpo_vs_adapt.observers.dashboard.serve import DashboardProblem

    return (ValueError, OSError, StreamChanged, DashboardProblem)


def say(line: str) -> None:
    """Print a line of the result."""
    make_console().print(Text(line), soft_wrap=True)


def complain(line: str) -> None:
    """Print a line about what went wrong."""
    make_console(stderr=True).print(Text(line), soft_wrap=True)
