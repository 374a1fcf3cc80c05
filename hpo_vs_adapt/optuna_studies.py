"""Optuna studies that mirror a run, for people to open in a dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from hpo_vs_adapt.optuna_mirror import (
    Attributes,
    StreamChanged,
    StudyMirror,
    plain,
)
from hpo_vs_adapt.optuna_storage import StorageProblem, close_storage, open_storage
from hpo_vs_adapt.samplers import Domain, distribution_of

__all__ = ["OptunaStudies", "StorageProblem", "StreamChanged", "StudyMirror"]


class OptunaStudies:
    """The Optuna studies of one storage.

    Args:
        url: As in `open_storage`.

    Raises:
        StorageProblem: If the storage does not open.
    """

    def __init__(self, url: str) -> None:
        self._storage = open_storage(url, writing=True)

    def __enter__(self) -> OptunaStudies:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the storage's connections."""
        close_storage(self._storage)

    def open(
        self,
        name: str,
        definition: str,
        direction: str,
        attrs: Attributes,
        space: Mapping[str, Domain] | None = None,
    ) -> StudyMirror:
        """Return the Optuna study of a stream: the one there is, or a new one.

        Args:
            name: Such as ``study/workload/arm/seed``.
            definition: Hash of all that decides what the stream suggests and is told.
                A study of another definition is set aside under a name of its own, with
                all its trials.
            direction: ``maximize`` or ``minimize``.
            attrs: User attributes of the study; `metric` names its values.
            space: Parameters to what they may be. Trials may have parameters that are
                not in it; Optuna's plots of importance leave those out.
        """
        if direction not in ("maximize", "minimize"):
            raise ValueError(
                f"`direction` must be 'maximize' or 'minimize'; got {direction!r}."
            )
        mirror = StudyMirror(
            self._storage,
            name,
            direction,
            {**plain(attrs), "definition": definition},
            {n: distribution_of(domain) for n, domain in (space or {}).items()},
        )
        mirror.open()
        return mirror
