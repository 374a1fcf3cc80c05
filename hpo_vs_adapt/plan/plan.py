"""From a study to streams, and the packs that can be formed from what they ask for."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

from hpo_vs_adapt.engines.packs.pack import LOOP_VERSION
from hpo_vs_adapt.plan.events import Answer, Listener, Listeners
from hpo_vs_adapt.plan.given_up import GivenUp
from hpo_vs_adapt.plan.lineup import Lineup
from hpo_vs_adapt.plan.packs import PackJob, furthest, pack_group
from hpo_vs_adapt.plan.prepared import PreparedWorkload
from hpo_vs_adapt.plan.tracks import Request, Track
from hpo_vs_adapt.plan.tuning import Proposal
from hpo_vs_adapt.plugins.identity import source_hash, trial_key
from hpo_vs_adapt.plugins.references import find_rule, ship
from hpo_vs_adapt.plugins.shipment import Shipment
from hpo_vs_adapt.records.ledger import Purpose, Spending
from hpo_vs_adapt.records.serving import serves
from hpo_vs_adapt.records.store import RecordStore
from hpo_vs_adapt.records.trials import TrialRecord, TrialSpec
from hpo_vs_adapt.study import Study

__all__ = ["Plan"]

_FEWEST_LANES = 4  # smaller packs are not made for the sake of idle workers


class Plan:
    """All streams of a study at work: what they ask for and what must be trained.

    Args:
        study: What is compared.
        store: Where records are and go.
        listeners: Who follows it, in the order in which they are told.
    """

    def __init__(
        self, study: Study, store: RecordStore, listeners: Iterable[Listener] = ()
    ) -> None:
        self.study = study
        self.store = store
        self.base = study.base
        self.prepared = {
            entry.name: PreparedWorkload(entry, self.base) for entry in study.workloads
        }
        self.rules = {
            rule: find_rule(rule, self.base) for arm in study.arms for rule in arm.rules
        }
        self._rule_hashes = {n: source_hash(rule) for n, rule in self.rules.items()}
        self._lineup = Lineup(study, self.prepared, self._rule_hashes)
        self.tracks: list[Track] = []
        self.answered: list[Answer] = []
        self.listeners = Listeners(listeners, study.secrets)
        self.given_up = GivenUp()
        self._known: dict[str, TrialRecord] = {}
        self._waiting: dict[str, list[Request]] = {}
        self._training: dict[str, list[Request]] = {}
        self._halves: list[tuple[str, ...]] = []
        self._lost: dict[str, Spending] = defaultdict(Spending)
        self._packs = 0
        for track in self._lineup.first():
            self._open(track)

    @property
    def finished(self) -> bool:
        """Whether every stream has all its results."""
        return all(track.finished for track in self.tracks)

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left to train, if only because trials were given up."""
        return not self._waiting and not self._training

    @property
    def open_groups(self) -> int:
        """Number of packs that the trials waiting now could form at least."""
        return len({self.group(requests[0]) for requests in self._waiting.values()})

    def advance(self) -> None:
        """Take what the streams ask, and answer from records as far as they reach."""
        moved = True
        while moved:
            moved = False
            for track in list(self.tracks):
                requests = [self._request(track, p) for p in track.ready()]
                self._look_up(requests)
                moved = moved or bool(requests)
                if track.wants_retrain:
                    self._open(self._lineup.retrain(track))
                    moved = True

    def group(self, request: Request) -> Hashable:
        """Return what other trials must share with this one to join its pack."""
        rule = self.rules[request.spec.rule]
        return pack_group(request.spec, rule, request.track.prepared)

    def next_pack(
        self, idle: int, most_lanes: Callable[[Request], int]
    ) -> PackJob | None:
        """Return the next pack to train, or None while nothing waits.

        Trials on which a sequential stream waits come first, for the rest of that
        stream can only follow them.

        Args:
            idle: Workers that have no pack; a group is spread over those for which
                there is no other group.
            most_lanes: The largest pack for trials like the one given.
        """
        if self._halves:
            return self._job(self._halves.pop(0))
        groups: dict[Hashable, list[str]] = defaultdict(list)
        for key, requests in self._waiting.items():
            groups[self.group(requests[0])].append(key)
        if not groups:
            return None
        keys = max(groups.values(), key=self._urgency)
        most = most_lanes(self._waiting[keys[0]][0])
        pieces = max(math.ceil(len(keys) / most), idle // len(groups), 1)
        fewest = min(most, _FEWEST_LANES)
        return self._job(tuple(keys[: max(fewest, math.ceil(len(keys) / pieces))]))

    def sample_job(self, request: Request) -> PackJob:
        """Return a pack of one trial, to measure with."""
        return self._pack((request.key,), (request.spec,), request)

    def evaluated(self, key: str, step: int, value: float) -> None:
        """Take note of the latest evaluation of a trial, if it is in training.

        Args:
            key: Of the trial.
            step: Optimizer steps taken.
            value: Of the validation metric.
        """
        for request in self._training.get(key, ()):
            self.listeners.evaluated(request, step, value)

    def finish(self, record: TrialRecord) -> None:
        """Store a trial's record and tell the streams that wait for it."""
        lost = self._lost.pop(record.key, None)
        if lost is not None:
            ledger = record.ledger.add(Purpose.LOST, lost)
            record = dataclasses.replace(record, ledger=ledger)
        self.store.put(record)
        self._known[record.key] = record
        self._look_up(self._training.pop(record.key))

    def charge(self, lost: Mapping[str, Spending]) -> None:
        """Charge trials, by their keys, with work that was lost with its worker."""
        for key, spending in lost.items():
            if spending != Spending():
                self._lost[key] += spending

    def split(self, job: PackJob) -> None:
        """Queue what a failed pack has not finished again, in halves."""
        left = tuple(key for key in job.keys if key in self._training)
        middle = len(left) // 2
        self._halves += [half for half in (left[:middle], left[middle:]) if half]
        for key in left:
            self._waiting[key] = self._training.pop(key)

    def give_up(self, keys: Sequence[str], reason: str) -> None:
        """Leave trials in training untrained, for a reason that is none of theirs."""
        for key in keys:
            self.given_up.add(self._training.pop(key), reason)

    def is_training(self, key: str) -> bool:
        """Whether a trial is in a pack and has not ended."""
        return key in self._training

    def unfinished(self, job: PackJob) -> list[str]:
        """Return the keys of a pack's trials that have not ended."""
        return [key for key in job.keys if key in self._training]

    def _open(self, track: Track) -> None:
        self.tracks.append(track)
        self.listeners.opened(track)

    def _request(self, track: Track, proposal: Proposal) -> Request:
        spec = track.spec(proposal)
        prepared = track.prepared
        rule = self.rules[spec.rule]
        key = trial_key(
            spec,
            prepared.source,
            self._rule_hashes[spec.rule],
            prepared.dataset(spec.seed).version,
            LOOP_VERSION,
            {name: setting.default for name, setting in rule.settings.items()},
        )
        request = Request(track, proposal, spec, key)
        self.listeners.asked(request)
        return request

    def _look_up(self, requests: list[Request]) -> None:
        """Answer requests whose records exist; let the others wait."""
        unknown = [r.key for r in requests if r.key not in self._known]
        self._known.update(self.store.get_many(unknown))
        for request in requests:
            record = self._known.get(request.key)
            if record is not None:
                mode = request.track.prepared.workload.metric.mode
                record = serves(record, request.spec, mode)
            if record is not None:
                self._tell(request, record)
            elif request.key in self._training:
                self._training[request.key].append(request)
                self.listeners.started(request)
            elif not self.given_up.holds(request):
                self._waiting.setdefault(request.key, []).append(request)

    def _tell(self, request: Request, record: TrialRecord) -> None:
        track = request.track
        answer = Answer(request, record, track.outcome(record), track.met(record))
        self.answered.append(answer)
        track.tell(request.proposal.number, answer.outcome, answer.hit)
        self.listeners.told(answer)

    def _urgency(self, keys: list[str]) -> tuple[float, int]:
        """Return what tells which group comes first: work that waits behind it."""
        behind = 0.0
        for key in keys:
            for request in self._waiting[key]:
                behind = max(behind, request.track.work_behind)
        return behind, len(keys)

    def _job(self, keys: tuple[str, ...]) -> PackJob:
        requests = [self._waiting[key] for key in keys]
        for key in keys:
            self._training[key] = self._waiting.pop(key)
        for request in itertools.chain(*requests):
            self.listeners.started(request)
        specs = tuple(furthest([r.spec for r in shared]) for shared in requests)
        self._packs += 1
        return self._pack(keys, specs, requests[0][0])

    def _pack(
        self, keys: tuple[str, ...], specs: tuple[TrialSpec, ...], first: Request
    ) -> PackJob:
        prepared = first.track.prepared
        return PackJob(
            number=self._packs,
            specs=specs,
            keys=keys,
            workload=self._ship(prepared.entry.reference, type(prepared.workload)),
            rule=self._ship(first.spec.rule, self.rules[first.spec.rule]),
            arrays=prepared.entry.name,
            flops=prepared.flops(first.spec.batch_size),
            group=self.group(first),
        )

    def _ship(self, reference: str, cls: type) -> Shipment:
        """Return what a worker needs to load a class, known by name or a user's own."""
        if ":" not in reference:
            reference = f"{cls.__module__}:{cls.__name__}"
        return ship(reference, self.base)
