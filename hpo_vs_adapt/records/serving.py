"""Whether a record answers what is asked for, and how much of it does."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from itertools import accumulate, pairwise

from hpo_vs_adapt.metrics.basics.hits import first_hit
from hpo_vs_adapt.records.ledger import Ledger, Purpose, Spending
from hpo_vs_adapt.records.trials import EndReason, TrialRecord, TrialSpec

__all__ = ["serves"]

RAN_OUT = (EndReason.BUDGET, EndReason.DIVERGED, EndReason.CRASHED)
"""Ends that no target brought about: the trial could not have run further."""

BESIDE = (Purpose.LOST, Purpose.EVALUATION)
"""Purposes that the curve does not count."""


def serves(record: TrialRecord, spec: TrialSpec, mode: str) -> TrialRecord | None:
    """Return a record as the trial `spec` would have left it, or None.

    It serves if it ran at least as far. Where `spec` stops at a target, it is cut at
    its `first_hit`, step 0 included, and ends as `EndReason.TARGET`, also where its
    budget ends there. A trial that was stopped or
    pruned before what `spec` asks for does not serve; one that diverged or crashed by
    itself does.

    Args:
        record: Of the same trial, `spec.stop_at` apart.
        spec: What is asked for.
        mode: ``max`` if a higher metric meets the target, else ``min``.

    Raises:
        ValueError: If `mode` is neither.
    """
    target = math.nan if spec.stop_at is None else spec.stop_at  # nothing meets NaN
    row = first_hit(record.curve["validation_metric"], target, mode)
    last = len(record.curve) - 1
    if row is not None and not (row == last and record.end is EndReason.DIVERGED):
        return dataclasses.replace(
            record,
            spec=spec,
            end=EndReason.TARGET,
            curve=record.curve.iloc[: row + 1].reset_index(drop=True),
            ledger=_cut(record, row),
            error=None,
        )
    return dataclasses.replace(record, spec=spec) if record.end in RAN_OUT else None


def _cut(record: TrialRecord, row: int) -> Ledger:
    """Return what had been spent at an evaluation.

    The curve has the totals and the samples that training itself took. The rest is
    shared by the other purposes as in the whole trial, which is exact unless a rule has
    several with extra gradients or several with extra forward passes. Lost work stays
    charged, since it is not known when it was lost.
    """
    curve, ledger = record.curve, record.ledger
    if row == len(curve) - 1 and record.end is not EndReason.CRASHED:
        return ledger
    now = curve.iloc[row]
    spent = dict(ledger.spent)
    extras = [p for p in spent if p not in (Purpose.TRAINING, *BESIDE)]
    gradients = _shared(
        int(now["sample_gradients"] - now["samples"]),
        [spent[purpose].sample_gradients for purpose in extras],
    )
    forwards = _shared(
        int(now["forward_samples"]),
        [spent[purpose].forward_samples for purpose in extras],
    )
    for purpose, gradient, forward in zip(extras, gradients, forwards, strict=True):
        spent[purpose] = _scaled(spent[purpose], gradient, forward)
    if Purpose.TRAINING in spent:
        rest = sum((spent[purpose] for purpose in extras), Spending())
        spent[Purpose.TRAINING] = Spending(
            sample_gradients=int(now["samples"]),
            steps=int(now["step"]),
            flops=float(now["flops"]) - rest.flops,
            seconds=float(now["seconds"]) - rest.seconds,
        )
    if Purpose.EVALUATION in spent:
        whole = spent[Purpose.EVALUATION]
        forward = whole.forward_samples * (row + 1) // len(curve)
        spent[Purpose.EVALUATION] = _scaled(whole, whole.sample_gradients, forward)
    return Ledger(spent, ledger.forward_share)


def _shared(total: int, parts: Sequence[int]) -> list[int]:
    """Split a total in proportion to `parts`, exactly: the last takes what is left."""
    whole = sum(parts)
    ends = [total * end // whole if whole else 0 for end in accumulate(parts)]
    return [end - start for start, end in pairwise([0, *ends])]


def _scaled(whole: Spending, gradients: int, forwards: int) -> Spending:
    """Return a purpose's spending after some of its passes, alike in cost."""
    passes = whole.sample_gradients + whole.forward_samples
    share = (gradients + forwards) / passes if passes else 0.0
    return Spending(
        gradients,
        forwards,
        round(whole.steps * share),
        whole.flops * share,
        whole.seconds * share,
    )
