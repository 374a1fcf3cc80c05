"""Names of files that are being written, and what killed processes left of them."""

from __future__ import annotations

import os
import re
import socket
import time
import uuid
from pathlib import Path

__all__ = ["is_abandoned", "is_partial", "partial_name"]

PARTIAL = re.compile(r"\.(?P<host>.+)-(?P<process>\d+)-[0-9a-f]{32}\.partial")
"""A file being written: by which process of which machine."""

ABANDONED_SECONDS = 24 * 3600.0
"""Age at which another machine's partial file is taken for a leftover."""


def partial_name() -> str:
    """Return a name that no other file has, with this process in it."""
    return f".{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex}.partial"


def is_partial(path: Path) -> bool:
    """Return whether a file is being written, or was when its writer was killed."""
    return PARTIAL.fullmatch(path.name) is not None


def is_abandoned(path: Path) -> bool:
    """Return whether a file is partial and its writer is gone.

    A process of this machine is looked for; on another one it is taken for gone after
    `ABANDONED_SECONDS`.
    """
    match = PARTIAL.fullmatch(path.name)
    if match is None:
        return False
    if match["host"] != socket.gethostname():
        try:
            return time.time() - path.stat().st_mtime > ABANDONED_SECONDS
        except FileNotFoundError:
            return False
    try:
        os.kill(int(match["process"]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # alive, another user's
        return False
    return False
