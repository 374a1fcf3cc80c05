"""The option of `report` that takes a number of seconds, or stands alone."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from typing_extensions import override

__all__ = ["Watch", "WatchCommand"]

_NAME = "--watch"
_SECONDS = 10.0

Watch = Annotated[
    float | None,
    typer.Option(
        _NAME,
        metavar="[SECONDS]",
        min=0.1,
        max=86_400,
        help="Write it whenever trials have ended, at most so often "
        f"(default {_SECONDS:g} s), until all have, or Ctrl-C (exit status 0).",
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
            if arg == _NAME and not _is_number(following):
                given.append(f"{_SECONDS:g}")
        return super().parse_args(ctx, given)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
