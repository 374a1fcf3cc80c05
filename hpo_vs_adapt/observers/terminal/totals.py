"""A run in a line: how many trials have ended, what is training, how long it takes."""

from __future__ import annotations

from hpo_vs_adapt.observers.terminal.progress import Snapshot
from hpo_vs_adapt.wording import counted

__all__ = ["duration", "metric_text", "pace", "roughly", "totals"]


def duration(seconds: float) -> str:
    """Return a time span as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def totals(snapshot: Snapshot) -> list[str]:
    """Return how many trials have ended, and how."""
    parts = [f"{snapshot.done} of {snapshot.planned} trials"]
    if snapshot.found:
        parts[0] += f" ({snapshot.found} found on disk)"
    parts.append(counted(snapshot.hits, "hit"))
    parts += [f"{snapshot.diverged} diverged"] * (snapshot.diverged > 0)
    parts += [f"{snapshot.crashed} crashed"] * (snapshot.crashed > 0)
    return parts


def pace(snapshot: Snapshot) -> list[str]:
    """Return what is training, since when, and how long it may still take."""
    parts = []
    if snapshot.packs:
        lanes, packs = counted(snapshot.lanes, "lane"), counted(snapshot.packs, "pack")
        parts.append(f"training {lanes} in {packs}")
    parts.append(f"{duration(snapshot.elapsed)} elapsed")
    if snapshot.done < snapshot.planned:
        parts.append(_left(snapshot))
    return parts


def metric_text(value: float | None) -> str:
    """Return a metric with four digits."""
    return "-" if value is None else f"{value:.4g}"


def roughly(seconds: float) -> str:
    """Return a time span as people estimate it: 40 s, 3 min, 2 h 10 min."""
    if seconds < 90:
        return f"{max(1, round(seconds / 10)) * 10} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    hours, tens = divmod(round(seconds / 600), 6)
    return f"{hours} h {tens * 10} min" if tens and hours < 10 else f"{hours} h"


def _left(snapshot: Snapshot) -> str:
    if snapshot.remaining is None:
        return "time left unknown"
    if snapshot.unmeasured:
        names = ", ".join(snapshot.unmeasured)
        return f"more than {roughly(snapshot.remaining)} left ({names} unknown)"
    return f"about {roughly(snapshot.remaining)} left"
