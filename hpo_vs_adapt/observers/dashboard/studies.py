"""Optuna studies that mirror a run, for people to open in a dashboard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import TracebackType

from optuna.storages import BaseStorage
from optuna.trial import TrialState

from hpo_vs_adapt.observers.dashboard.mirror import (
    Attributes,
    StreamChanged,
    StudyMirror,
    plain,
)
from hpo_vs_adapt.observers.dashboard.storage import (
    StorageProblem,
    close_storage,
    open_storage,
)
from hpo_vs_adapt.observers.dashboard.urls import explaining_losses, storage_exists
from hpo_vs_adapt.plan.distributions import Domain, distribution_of

__all__ = [
    "OptunaStudies",
    "StorageProblem",
    "StreamChanged",
    "StudyMirror",
    "running_trials",
]


def running_trials(url: str, study: str) -> Counter[tuple[str, str, str]]:
    """Return how many trials of a study are shown as running.

    Only trials that have trained for some seconds are shown so. Those of a run that was
    killed stay until the next run takes them up.

    Args:
        url: As in `open_storage`.
        study: Name of the study file.

    Returns:
        Counts by workload, arm and role.

    Raises:
        StorageProblem: If the storage does not open.
    """
    running = Counter[tuple[str, str, str]]()
    if not storage_exists(url):
        return running
    storage = open_storage(url)
    try:
        with explaining_losses(url):
            for found in storage.get_all_studies():
                attrs = found.user_attrs
                if found.study_name.startswith(f"{study}/") and "definition" in attrs:
                    count = storage.get_n_trials(found._study_id, TrialState.RUNNING)
                    running[attrs["workload"], attrs["arm"], attrs["role"]] += count
    finally:
        close_storage(storage)
    return running


class OptunaStudies:
    """The Optuna studies of one storage.

    Args:
        url: As in `open_storage`.

    Raises:
        StorageProblem: If the storage does not open; at the end of a ``with`` block
            also if it was lost in it.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._storage = open_storage(url, writing=True)

    def __enter__(self) -> OptunaStudies:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with explaining_losses(self._url):
            self.close()
            if error is not None:
                raise error

    @property
    def storage(self) -> BaseStorage:
        """Where the studies are."""
        return self._storage

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
