"""What people can mend, told apart from the project's own mistakes."""

from __future__ import annotations

__all__ = ["Problem"]


class Problem(Exception):
    """What a user can mend; its text is the whole message, and says what to do.

    The command line shows it without a traceback. What is wrong and no `Problem` is a
    mistake of the project.
    """
