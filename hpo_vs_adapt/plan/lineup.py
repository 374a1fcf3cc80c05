"""Which streams a study has: policies, sensitivity sweeps, retrains of winners."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Mapping, Sequence

from hpo_vs_adapt.engines.packs.pack import LOOP_VERSION
from hpo_vs_adapt.plan.distributions import Domain
from hpo_vs_adapt.plan.prepared import PreparedWorkload
from hpo_vs_adapt.plan.tracks import Identity, Role, Track
from hpo_vs_adapt.plan.tuning import (
    MEMBER,
    ListStream,
    Proposal,
    Stream,
    make_stream,
    retrain_seeds,
    stream_seeds,
)
from hpo_vs_adapt.study import Arm, Study, Sweep

__all__ = ["Lineup"]


class Lineup:
    """Makes the streams of a study.

    Args:
        study: What is compared.
        prepared: Its workloads, by label.
        rule_hashes: Hashes of the sources of its rules, by the names that arms give.
    """

    def __init__(
        self,
        study: Study,
        prepared: Mapping[str, PreparedWorkload],
        rule_hashes: Mapping[str, str],
    ) -> None:
        self._study = study
        self._prepared = prepared
        self._rule_hashes = rule_hashes

    def first(self) -> list[Track]:
        """Return the streams that a study starts with, workload by workload."""
        arms = {arm.name: arm for arm in self._study.arms}
        tracks = []
        for prepared in self._prepared.values():
            for arm in arms.values():
                tracks += self._policies(prepared, arm)
            for sweep in self._study.sensitivity:
                if prepared.entry.name in sweep.workloads:
                    tracks += [
                        self._sweep(prepared, arms[n], sweep) for n in sweep.arms
                    ]
        return tracks

    def retrain(self, track: Track) -> Track:
        """Return the stream that trains a finished stream's winner with fresh seeds."""
        tune = track.arm.tune
        assert tune is not None
        track.retrained = True
        winner = track.winner()
        proposals = [
            Proposal(number, winner.settings, winner.batch_size, seed)
            for number, seed in enumerate(
                retrain_seeds(self._study.seeds, tune.retrain)
            )
        ]
        return self._track(
            track.prepared,
            track.arm,
            "retrain",
            ListStream(proposals, track.prepared.workload.metric.mode),
            seed=track.seed,
            place=("retrain", str(track.seed)),
            chosen_by=(winner.settings, winner.batch_size),
            space=_space(track.arm),
        )

    def _policies(self, prepared: PreparedWorkload, arm: Arm) -> list[Track]:
        mode = prepared.workload.metric.mode
        seeds = self._study.seeds
        if arm.tune is None:
            runs = [
                Proposal(number, (), None, seed) for number, seed in enumerate(seeds)
            ]
            return [self._track(prepared, arm, "policy", ListStream(runs, mode))]
        return [
            self._track(
                prepared,
                arm,
                "policy",
                make_stream(arm, seed, seeds, mode),
                seed=seed,
                place=(str(seed),),
                chosen_by=dataclasses.replace(arm.tune, retrain=0),
                space=_space(arm),
            )
            for seed in stream_seeds(arm.tune, seeds)
        ]

    def _sweep(self, prepared: PreparedWorkload, arm: Arm, sweep: Sweep) -> Track:
        names = sorted(sweep.vary)
        points = list(itertools.product(*(sweep.vary[name] for name in names)))
        proposals: list[Proposal] = []
        for seed in self._study.seeds:  # outermost, so that more seeds only add trials
            for point in points:
                chosen = dict(zip(names, point, strict=True))
                batch_size = chosen.pop("batch_size", None)
                assert batch_size is None or isinstance(batch_size, int)
                settings = tuple(sorted(chosen.items()))
                proposals.append(Proposal(len(proposals), settings, batch_size, seed))
        return self._track(
            prepared,
            arm,
            "sweep",
            ListStream(proposals, prepared.workload.metric.mode),
            place=("sweep", "+".join(names)),
            chosen_by=sorted(sweep.vary.items()),
            space=sweep.vary,
        )

    def _track(
        self,
        prepared: PreparedWorkload,
        arm: Arm,
        role: Role,
        stream: Stream,
        *,
        seed: int = -1,
        place: Sequence[str] = (),
        chosen_by: object = None,
        space: Mapping[str, Domain] | None = None,
    ) -> Track:
        """Return a track whose `place` tells it from others of its arm."""
        identity = Identity(
            (self._study.name, prepared.entry.name, arm.name, *place),
            self._definition(prepared, arm, seed, chosen_by),
            space or {},
        )
        return Track(prepared, arm, role, seed, stream, identity)

    def _definition(
        self, prepared: PreparedWorkload, arm: Arm, seed: int, chosen_by: object
    ) -> str:
        """Return a hash of all that decides what a stream asks for and is told."""
        # Where a file lies does not matter; what is in it does.
        entry = dataclasses.replace(prepared.entry, reference="", data=None)
        parts = (
            entry,
            prepared.source,
            prepared.dataset(0).version,
            [sorted(one.settings.items()) for one in arm.members or (arm,)],
            arm.stop_at_target,
            [self._rule_hashes[rule] for rule in arm.rules],
            LOOP_VERSION,
            seed,
            chosen_by,
        )
        return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def _space(arm: Arm) -> dict[str, Domain]:
    """Return what the tuner of an arm chooses from."""
    if arm.members:
        return {MEMBER: tuple(member.name for member in arm.members)}
    assert arm.tune is not None
    return {**arm.tune.grid, **arm.tune.space}
