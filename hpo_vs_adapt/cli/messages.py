"""What the command line says when something ends otherwise than hoped."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

import typer
from rich.text import Text

from hpo_vs_adapt.observers.terminal.displays import make_console
from hpo_vs_adapt.wording import Problem, Secrets

__all__ = ["BUG", "CRASHED", "INTERRUPTED", "WRONG", "complain", "reporting", "say"]

CRASHED, WRONG, BUG, INTERRUPTED = 1, 2, 70, 130
"""Exit status: trials crashed or are missing; the study or the options are wrong; a
mistake of the project itself (`EX_SOFTWARE` of sysexits.h); interrupted."""


@contextmanager
def reporting(verbose: bool) -> Iterator[Secrets]:
    """Turn what ends a command into what its user needs to see, and an exit status.

    A `Problem` is one message, with `verbose` its traceback too; whatever else is
    raised is our mistake, and its traceback is for us.

    Yields:
        What is hidden in all that is said then. The command adds what it learns.
    """
    secrets = Secrets()
    try:
        yield secrets
    except Problem as problem:
        said = traceback.format_exc() if verbose else str(problem)
        complain(secrets.hide(said))
        raise typer.Exit(WRONG) from None
    except KeyboardInterrupt:
        complain("Interrupted.")
        raise typer.Exit(INTERRUPTED) from None
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise  # on its way out already, or nobody reads what we print
    except Exception as error:  # noqa: BLE001 - the border to the user
        complain(secrets.hide(traceback.format_exc()))
        complain(
            f"This is a mistake in hpo-vs-adapt {version('hpo-vs-adapt')}, not in your "
            f"study: {type(error).__name__}. Please report it, with all that stands "
            "above."
        )
        raise typer.Exit(BUG) from None


def say(line: str) -> None:
    """Print a line of the result."""
    make_console().print(Text(line), soft_wrap=True)


def complain(line: str) -> None:
    """Print a line about what went wrong."""
    make_console(stderr=True).print(Text(line), soft_wrap=True)
