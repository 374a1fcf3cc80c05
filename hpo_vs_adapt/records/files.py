"""Writing a file of this machine whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from hpo_vs_adapt.partial_files import partial_name
from hpo_vs_adapt.wording import Problem

__all__ = ["FileProblem", "write_whole"]


class FileProblem(Problem):
    """A file that cannot be read or written.

    Args:
        path: Of the file.
        doing: What was tried: ``read``, ``written``.
        reason: Why it failed.
    """

    def __init__(self, path: Path, doing: str, reason: str) -> None:
        super().__init__(f"{path} cannot be {doing}: {reason}.")
        self.reason = reason


def write_whole(path: Path, content: bytes | str, *, durable: bool = False) -> None:
    """Write a file so that a reader sees all of the old or all of the new one.

    Args:
        path: Of the file; its folder is made if it is missing.
        content: Text is written in UTF-8, with the line ends that it has.
        durable: Whether it must outlive a power failure, which takes up to 30 ms.

    Raises:
        FileProblem: If it cannot be written; what was there before is still there.
    """
    partial = path.parent / partial_name()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                if durable:  # before the rename: no empty file after
                    file.flush()
                    os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise FileProblem(path, "written", reason) from error
