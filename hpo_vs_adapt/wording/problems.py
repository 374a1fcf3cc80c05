"""What people can mend, told apart from the project's own mistakes."""

from __future__ import annotations

from hpo_vs_adapt.wording.secrets import mask_uris

__all__ = ["Problem"]


class Problem(Exception):
    """What a user can mend; its text is the whole message, and says what to do.

    The command line shows it without a traceback. What is wrong and no `Problem` is a
    mistake of the project.

    Args:
        message: Passwords in the URIs that it repeats are hidden.
    """

    def __init__(self, message: str) -> None:
        super().__init__(mask_uris(message))
