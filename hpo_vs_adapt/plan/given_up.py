"""Trials that a run leaves untrained for reasons that say nothing of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from hpo_vs_adapt.plan.tracks import Request
from hpo_vs_adapt.wording import counted, listed

__all__ = ["GivenUp"]


class GivenUp:
    """Trials that could not be trained, nothing of which is recorded.

    A worker that was lost, or lacks a module, says nothing of a trial: to record it as
    crashed would keep it so for good. The streams that wait for such a trial stop
    there; the next run tries it again.
    """

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}
        self._requests: list[Request] = []

    def __len__(self) -> int:
        return len(self._reasons)

    def add(self, requests: Iterable[Request], reason: str) -> None:
        """Take in all requests for a trial.

        Args:
            requests: Who waits for it.
            reason: What has happened and what to do, in sentences.
        """
        for request in requests:
            self._reasons[request.key] = reason
            self._requests.append(request)

    def holds(self, request: Request) -> bool:
        """Whether a request is for such a trial, which is noted then."""
        if request.key not in self._reasons:
            return False
        self._requests.append(request)
        return True

    def tell(self) -> str:
        """Return what to say of them at the end of a run, a line for each reason."""
        told: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for request in self._requests:
            track = request.track
            whose = f"{track.prepared.entry.name}, {track.arm.name}, {track.role}"
            trial = f"trial {request.proposal.number} (seed {request.spec.seed})"
            told[self._reasons[request.key]][whose].append(trial)
        lines = [
            f"Not trained: {'; '.join(f'{w} {listed(t)}' for w, t in one.items())}. "
            f"{reason}"
            for reason, one in told.items()
        ]
        lines.append(
            f"Of {counted(len(self), 'trial')} nothing is recorded, and what would "
            "follow from them was left out. The same command trains what is missing."
        )
        return "\n".join(lines)
