"""Notes on Optuna studies and their trials, in the dashboard's Markdown."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hpo_vs_adapt.metrics.basics.direction import Direction
from hpo_vs_adapt.observers.dashboard.artifacts import report_id
from hpo_vs_adapt.plan.events import Answer
from hpo_vs_adapt.plan.tracks import Track, objective_of
from hpo_vs_adapt.records.trials import EndReason, Value
from hpo_vs_adapt.study import Arm, Space, Study, Tune
from hpo_vs_adapt.wording import amount, counted, interval, metric_value, rate

__all__ = ["escaped", "study_note", "trial_note"]

_SPECIAL = re.compile(r"([\\`*_\[\]<>&$|~^{}])")  # of those that matter within a line

_ENDS = {
    EndReason.TARGET: "ended at the target",
    EndReason.BUDGET: "used the whole budget",
    EndReason.PRUNED: "pruned",
    EndReason.DIVERGED: "diverged",
    EndReason.CRASHED: "crashed",
}


def escaped(text: object) -> str:
    r"""Return a text that Markdown shows as it is, in one line.

    >>> print(escaped("a_b <i>"))
    a\_b \<i\>
    """
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def study_note(
    study: Study,
    track: Track,
    answers: Sequence[Answer],
    bill: Mapping[str, Any] | None,
    study_id: int,
) -> str:
    """Return the note on a stream's Optuna study; it ends in an empty line.

    Args:
        study: What the stream belongs to.
        track: The stream.
        answers: Its trials that have ended.
        bill: The arm's row of `arm_bills`, or None before its first trial.
        study_id: Of the Optuna study, for links.
    """
    entry, arm = track.prepared.entry, track.arm
    better = "higher" if Direction(entry.metric.mode).up else "lower"
    report = f"/artifacts/{study_id}/{report_id(study.name)}"
    spent = sum(answer.record.ledger.cost for answer in answers)
    rows = {
        "Workload": f"{escaped(entry.name)}; {escaped(entry.metric.name)}, "
        f"{better} is better",
        "Target": escaped(_target(track)),
        "Arm": f"{escaped(arm.name)}, {arm.kind}; {_rule(arm)}",
        "Trials are": escaped(_purpose(track)),
        "Seeds": escaped(_seeds(track)),
        "A trial's value": escaped(_value(track)),
        "Ended": escaped(_ends(answers)),
        "Best value": _best(track),
        "Cost so far": f"{amount(spent)} sample gradients",
        "Bill of the arm": escaped(_bill(bill)),
        "Made by": escaped(study.command or "hpo_vs_adapt.run_study in Python"),
        "Report": f"[index.html]({report}), served by `hpo-vs-adapt dashboard`",
    }
    table = [f"| {name} | {text} |" for name, text in rows.items() if text]
    title = f"## {escaped(arm.name)} on {escaped(entry.name)}"
    done = f"{track.done} of {counted(track.stream.planned, 'trial')} done"
    gist = f"**{done}, {track.hits} met {escaped(_target(track))}.**"
    return "\n".join([title, "", gist, "", "| | |", "|---|---|", *table, "", ""])


def trial_note(answer: Answer) -> str | None:
    """Return the note on a trial that did not run as planned, or None."""
    record = answer.record
    if record.end is EndReason.CRASHED:
        error = f": {escaped(record.error)}" if record.error else ""
        return f"**Crashed**{error}. It has no value."
    spent = f"after {amount(record.ledger.cost)} sample gradients"
    if record.end is EndReason.PRUNED:
        return f"**Pruned** {spent}. It is charged."
    if record.end is not EndReason.DIVERGED:
        return None
    step = int(record.curve["step"].iloc[-1]) if len(record.curve) else 0
    return (
        f"**Diverged** {spent}, step {step}: loss or weights were no longer finite. "
        f"It is charged. Its value is {escaped(_diverged(answer.request.track))}."
    )


def _target(track: Track) -> str:
    entry = track.prepared.entry
    relation = Direction(entry.metric.mode).relation
    return f"{entry.metric.name} {relation} {entry.target:g}"


def _rule(arm: Arm) -> str:
    if arm.members:
        return f"a portfolio of {escaped(', '.join(one.name for one in arm.members))}"
    settings = _settings(arm.settings)
    return escaped(f"rule {arm.rule}{f' with {settings}' if settings else ''}")


def _settings(settings: Mapping[str, Value]) -> str:
    return ", ".join(
        f"{name} {rate(value) if isinstance(value, float) else value}"
        for name, value in settings.items()
    )


def _purpose(track: Track) -> str:
    if track.role == "retrain":
        return "the winner of the search, trained again with fresh seeds"
    if track.role == "sweep":
        return "a sensitivity sweep, in no bill"
    tune = track.arm.tune
    if tune is None:
        return "one for each study seed, with the settings given"
    return f"a search {_tuning(tune)}"


def _tuning(tune: Tune) -> str:
    how = {"portfolio": "through the members of the portfolio", "random": "at random"}
    if tune.by in how:
        text = how[tune.by]
    else:
        text = "by grid" if tune.by == "grid" else f"by Optuna's {tune.sampler}"
    spaces = [f"{name} from {len(values)} values" for name, values in tune.grid.items()]
    spaces += [f"{name} in {_range(space)}" for name, space in tune.space.items()]
    return ": ".join([text, ", ".join(spaces)] if spaces else [text])


def _range(space: Space) -> str:
    if space.low is None or space.high is None:
        return "{" + ", ".join(map(str, space.choices)) + "}"
    return f"[{rate(space.low)}, {rate(space.high)}]{', log' if space.log else ''}"


def _seeds(track: Track) -> str:
    tune = track.arm.tune
    if tune is None or track.role == "sweep":
        return "of training, a parameter of each trial"
    if track.role == "retrain":
        return f"fresh ones of training; the search had tuner seed {track.seed}"
    if tune.training_seed == "fresh":
        return f"tuner seed {track.seed}; each trial trains with one of its own"
    return f"tuner seed {track.seed}, with which each trial trains too"


def _value(track: Track) -> str:
    if objective_of(track.arm, track.role) == "cost":
        return (
            "the cost at which it first met the target, in sample gradients; where it "
            "did not, the cost of the whole budget"
        )
    name = track.prepared.entry.metric.name
    return f"its best validation {name}; diverged: {_diverged(track)}"


def _diverged(track: Track) -> str:
    if objective_of(track.arm, track.role) == "cost":
        return "the cost of the whole budget, unless it had met the target before"
    metric = track.prepared.entry.metric
    bound = Direction(metric.mode).worst_end(metric.low, metric.high)
    if bound is not None:
        return f"{bound:g}, the worst there is"
    return "the worst that the stream has seen"


def _ends(answers: Sequence[Answer]) -> str:
    counts = Counter(answer.record.end for answer in answers)
    return ", ".join(
        f"{counts[end]} {text}" for end, text in _ENDS.items() if end in counts
    )


def _best(track: Track) -> str:
    number = track.stream.best()
    if number is None:
        return ""
    outcomes = {p.number: (p, outcome) for p, outcome in track.stream.history}
    proposal, outcome = outcomes[number]
    chosen: dict[str, Value] = dict(proposal.settings)
    if proposal.batch_size is not None:
        chosen["batch_size"] = proposal.batch_size
    cost = objective_of(track.arm, track.role) == "cost"
    value = metric_value(outcome.value)
    if cost:
        value = f"{amount(outcome.value)} sample gradients"
    text = _settings(chosen) or f"seed {proposal.seed}"
    return escaped(f"{value} in trial {number} ({text})")


def _bill(bill: Mapping[str, Any] | None) -> str:
    if bill is None:
        return ""
    passes = f"{bill['pass_hits']} of {bill['passes']} passes met the target"
    if not math.isfinite(bill["bill"]):
        return f"not known: {passes}"
    spread = interval(bill["bill_low"], bill["bill_high"])
    tuned = ", tuning counted" if bill["kind"] == "tuned" else ""
    cost = " ".join(filter(None, [amount(bill["bill"]), "sample gradients", spread]))
    return f"{cost}{tuned}; {passes}"
