"""Notes, figures and attributes of a run's Optuna studies, kept in step with it."""

from __future__ import annotations

import hashlib
import math
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, TypeAlias

from typing_extensions import override

from hpo_vs_adapt.metrics.costs.bills import arm_bills
from hpo_vs_adapt.observers.dashboard.artifacts import report_artifact
from hpo_vs_adapt.observers.dashboard.attributes import (
    FigureParts,
    annotated,
    set_study_attributes,
)
from hpo_vs_adapt.observers.dashboard.notes import study_note, trial_note
from hpo_vs_adapt.observers.dashboard.studies import OptunaStudies
from hpo_vs_adapt.plan.events import Answer, AtWork, Listener
from hpo_vs_adapt.plan.tracks import Track
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.tables.collect import make_study_tables

__all__ = ["Annotations"]

_SECONDS = 60.0  # between two renewals while a run goes on
_SHARE = 0.02  # of the run's time that renewals may take
_VERSION = 1  # of what is written; a new one renews what is there
_MADE_FROM = "hpo_vs_adapt:made_from"  # system attribute: what notes rest on

_Place: TypeAlias = tuple[str, str]  # workload and arm


@dataclass(frozen=True, slots=True)
class _Stale:
    """A stream whose notes and figures are to be renewed.

    Args:
        track: The stream.
        study_id: Of its Optuna study.
        there: System attributes that this has.
        made_from: Digest of what they will be made from.
    """

    track: Track
    study_id: int
    there: Mapping[str, Any]
    made_from: str


class Annotations(Listener):
    """What people read beside the trials in the dashboard.

    Each Optuna study has a note, its learning curves, the race of its arm, and user
    attributes that sum it up; trials that diverged, crashed or were pruned have a note
    that says why. Nothing is written if optuna-dashboard is not installed, no figures
    without plotly, and nothing again that is there already.

    Args:
        study: The study at work.
        studies: Where the Optuna studies of its streams are.
    """

    does = "Writing notes and figures into the Optuna studies"

    def __init__(self, study: Study, studies: OptunaStudies) -> None:
        self._study = study
        self._storage = studies.storage
        self._tracks: list[Track] = []
        self._answers: dict[Track, list[Answer]] = defaultdict(list)
        self._counts: dict[Track, int] = {}
        self._trial_ids: dict[tuple[int, int], int] = {}
        self._next = time.monotonic() + _SECONDS
        self._caught_up = False

    @override
    def opened(self, track: Track) -> None:
        self._tracks.append(track)

    @override
    def told(self, answer: Answer) -> None:
        self._answers[answer.request.track].append(answer)

    @override
    def changed(self, now: AtWork | None) -> None:
        self._caught_up = True
        if time.monotonic() >= self._next:
            started = time.monotonic()
            self._renew()
            ended = time.monotonic()
            self._next = ended + max(_SECONDS, (ended - started) / _SHARE)

    @override
    def closed(self) -> None:
        if self._caught_up:  # else less was told than what is there was made from
            self._renew()

    def _renew(self) -> None:
        """Write what has changed since it was written last."""
        if find_spec("optuna_dashboard") is None:
            return
        arms: dict[_Place, list[Track]] = defaultdict(list)
        for track in self._tracks:
            arms[_place(track)].append(track)
        stale = [old for tracks in arms.values() for old in self._stale(tracks)]
        changed = {_place(old.track) for old in stale}
        bills = self._bills([track for place in changed for track in arms[place]])
        for old in stale:
            place = _place(old.track)
            policies = [track for track in arms[place] if track.role == "policy"]
            streams = {track.seed: self._answers[track] for track in policies}
            self._write(old, bills.get(place), streams)

    def _stale(self, tracks: Sequence[Track]) -> list[_Stale]:
        """Return the streams of an arm on a workload whose notes are to be renewed."""
        counts = {track: len(self._answers[track]) for track in tracks}
        if all(self._counts.get(track) == n for track, n in counts.items()):
            return []
        self._counts |= counts
        for track in tracks:
            self._answers[track].sort(key=lambda one: one.request.proposal.number)
        billed = [a for t in tracks if t.role != "sweep" for a in self._answers[t]]
        found = []
        for track in tracks:
            try:
                study_id = self._storage.get_study_id_from_name(track.identity.name)
                there = self._storage.get_study_system_attrs(study_id)
            except KeyError:  # somebody has deleted it in the dashboard
                continue
            # All trials of the arm are in its bill, and its streams in the race.
            others = billed if track.role != "sweep" else []
            made_from = _digest(track, [*self._answers[track], *others])
            if there.get(_MADE_FROM) != made_from:
                found.append(_Stale(track, study_id, there, made_from))
        return found

    def _write(
        self,
        old: _Stale,
        bill: Mapping[str, Any] | None,
        streams: Mapping[int, Sequence[Answer]],
    ) -> None:
        study, answers = self._study, self._answers[old.track]
        system = {_MADE_FROM: old.made_from, **report_artifact(study.name)}
        system |= annotated(
            old.there,
            study_note(study, old.track, answers, bill, old.study_id),
            self._trial_notes(old.study_id, answers),
            _figures(old.track, answers, streams),
        )
        defined = self._storage.get_study_user_attrs(old.study_id)
        user = _summary(old.track, answers, defined)
        set_study_attributes(self._storage, old.study_id, user, system)

    def _trial_notes(self, study_id: int, answers: Sequence[Answer]) -> dict[int, str]:
        """Return notes by the id that the storage gave a trial, if it has it yet."""
        notes = {}
        for answer in answers:
            note = trial_note(answer)
            place = (study_id, answer.request.proposal.number)
            if note is None:
                continue
            if place not in self._trial_ids:
                try:
                    found = self._storage.get_trial_id_from_study_id_trial_number(
                        *place
                    )
                except KeyError:  # held back until the trials before it have ended
                    continue
                self._trial_ids[place] = found
            notes[self._trial_ids[place]] = note
        return notes

    def _bills(self, tracks: Sequence[Track]) -> dict[_Place, dict[Any, Any]]:
        """Return the bills of the arms of which there are trials."""
        billed = [track for track in tracks if track.role != "sweep"]
        answers = [answer for track in billed for answer in self._answers[track]]
        if not answers:
            return {}
        results = make_study_tables(self._study, billed, answers, {})
        bills = arm_bills(results.records).to_dict("records")
        return {(bill["workload"], bill["arm"]): bill for bill in bills}


def _place(track: Track) -> _Place:
    return track.prepared.entry.name, track.arm.name


def _figures(
    track: Track, answers: Sequence[Answer], streams: Mapping[int, Sequence[Answer]]
) -> dict[str, FigureParts]:
    """Return the figures that show something, by the ids they are renewed under."""
    if find_spec("plotly") is None:
        return {}
    from hpo_vs_adapt.observers.dashboard.figures import learning_curves, race

    figures = {"learning_curves": learning_curves(track, answers)}
    if track.role == "policy":
        figures["race"] = race(track, streams, unpaired=track.arm.tune is None)
    return {name: parts for name, parts in figures.items() if parts["data"]}


def _summary(
    track: Track, answers: Sequence[Answer], defined: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the user attributes of a stream's study.

    The dashboard shows five at a time, in the order in which they were written: what
    people look for comes first.

    Args:
        track: The stream.
        answers: Its trials that have ended.
        defined: The attributes that the study was made with.
    """
    best = track.stream.best()
    told = {p.number: outcome.value for p, outcome in track.stream.history}
    value = None if best is None else told[best]
    new = {
        "best_value": value if value is None or math.isfinite(value) else str(value),
        "hits": int(track.hits),
        "trials": f"{track.done} of {track.stream.planned}",
        "arm": track.arm.name,
        "workload": track.prepared.entry.name,
        "stream": track.seed if track.seed >= 0 else None,
        "seeds": sorted({answer.request.spec.seed for answer in answers}),
        "best_trial": best,
        "cost": sum(answer.record.ledger.cost for answer in answers),
    }
    return new | {k: value for k, value in defined.items() if k not in new}


def _digest(track: Track, answers: Sequence[Answer]) -> str:
    """Return a hash of all that a note and its figures are made from."""
    ended = [
        (
            answer.request.proposal.number,
            answer.request.key,
            str(answer.record.end),
            len(answer.record.curve),
        )
        for answer in answers
    ]
    parts = (_VERSION, find_spec("plotly") is not None, track.stream.planned, ended)
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()
