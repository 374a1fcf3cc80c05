"""What a study at work tells those who follow it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from typing_extensions import override

from hpo_vs_adapt.plan.streams import Outcome
from hpo_vs_adapt.plan.tracks import Request, Track
from hpo_vs_adapt.records.ledger import Spending
from hpo_vs_adapt.records.trials import TrialRecord
from hpo_vs_adapt.wording import Problem, Secrets

__all__ = ["Answer", "AtWork", "Listener", "Listeners", "StopsRun", "Training"]

logger = logging.getLogger(__name__)


class StopsRun(Problem):
    """Raised by a listener that finds a reason not to go on: it ends the run."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A trial that has ended, for one of the streams that have asked for it.

    Args:
        request: What was asked for.
        record: How it ended, cut where the request ends.
        outcome: What the stream was told of it.
        hit: Whether it met the target.
    """

    request: Request
    record: TrialRecord
    outcome: Outcome
    hit: bool


@dataclass(frozen=True, slots=True)
class Training:
    """What is training on one workload now.

    Args:
        packs: Number of packs.
        trials: Number of trials in them that have not ended.
        spent: What those trials have spent until their packs' latest reports.
    """

    packs: int = 0
    trials: int = 0
    spent: Spending = field(default_factory=Spending)


class AtWork(Protocol):
    """What is training at the moment."""

    @property
    def training(self) -> Mapping[str, Training]:
        """What is training now, by workload."""

    @property
    def latest(self) -> Mapping[str, float | None]:
        """The latest validation metric of every trial in training, by key.

        None until the trial's pack has reported it.
        """


class Listener:
    """Somebody who follows a study at work, and hears what he cares to hear.

    Listeners decide nothing. One that raises `StopsRun` ends the run; after any other
    error it is left alone, and the run goes on.

    Attributes:
        does: What it does, for the message that it has failed.
    """

    does = "Following the run"

    def opened(self, track: Track) -> None:
        """Hear of a stream, before it asks for anything."""

    def asked(self, request: Request) -> None:
        """Hear what a stream has asked for."""

    def started(self, request: Request) -> None:
        """Hear that a trial is being trained; again if its pack had to be split."""

    def evaluated(self, request: Request, step: int, value: float) -> None:
        """Hear the latest evaluation of a trial in training.

        Args:
            request: What was asked for.
            step: Optimizer steps taken.
            value: Of the validation metric.
        """

    def told(self, answer: Answer) -> None:
        """Hear how a trial has ended, found on disk or trained; its stream knows."""

    def changed(self, now: AtWork | None) -> None:
        """Hear that something has changed: a moment to write or show what was heard.

        The first time, all that could be answered from records has been told.

        Args:
            now: What is training; None while nothing is.
        """

    def closed(self) -> None:
        """Hear that nothing follows, whatever has ended the run."""


class Listeners(Listener):
    """Those who follow a study, each told in turn, and kept from harming it.

    Args:
        listeners: In the order in which they are told.
        secrets: What no message may show.
    """

    def __init__(self, listeners: Iterable[Listener], secrets: Secrets) -> None:
        self._listeners = list(listeners)
        self._secrets = secrets

    @override
    def opened(self, track: Track) -> None:
        self._tell(lambda one: one.opened(track))

    @override
    def asked(self, request: Request) -> None:
        self._tell(lambda one: one.asked(request))

    @override
    def started(self, request: Request) -> None:
        self._tell(lambda one: one.started(request))

    @override
    def evaluated(self, request: Request, step: int, value: float) -> None:
        self._tell(lambda one: one.evaluated(request, step, value))

    @override
    def told(self, answer: Answer) -> None:
        self._tell(lambda one: one.told(answer))

    @override
    def changed(self, now: AtWork | None) -> None:
        self._tell(lambda one: one.changed(now))

    @override
    def closed(self) -> None:
        self._tell(lambda one: one.closed())

    def _tell(self, event: Callable[[Listener], None]) -> None:
        for listener in tuple(self._listeners):
            try:
                event(listener)
            except StopsRun:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, trials go on
                self._listeners.remove(listener)
                self._leave_out(listener, error)

    def _leave_out(self, listener: Listener, error: Exception) -> None:
        lines = str(error).strip().splitlines()
        reason = ": ".join([type(error).__name__, *lines[:1]])
        logger.warning(
            "%s failed, and is left out for the rest of this run (%s). All trials and "
            "records are kept; the next run makes up for it.",
            listener.does,
            self._secrets.hide(reason),
        )
        place = "".join(traceback.format_exception(error))
        logger.debug("It failed here: %s", self._secrets.hide(place))
