"""Our figures in an Optuna study: learning curves, and the race of its arm.

A figure is what `plotly.graph_objects.Figure` takes, so that plotly need not be there
until one is saved. The dashboard reads all figures of a storage with its list of
studies: they are kept small.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpo_vs_adapt.metrics.basics.direction import Direction
from hpo_vs_adapt.metrics.basics.hits import finite_part, first_hit
from hpo_vs_adapt.observers.dashboard.attributes import FigureParts
from hpo_vs_adapt.plan.events import Answer
from hpo_vs_adapt.plan.tracks import Track
from hpo_vs_adapt.records.trials import EndReason, TrialRecord
from hpo_vs_adapt.workloads.base import Metric

__all__ = ["learning_curves", "race"]

Array: TypeAlias = NDArray[np.float64]

_POINTS = 2000  # of all learning curves of a figure; about 40 kB
_OTHERS = 20  # streams drawn beside the study's own
_DIGITS = 5

_BLUE, _VERMILLION, _GREY = "#0068a8", "#c8500a", "#8a8f98"
_INK = "#7d828b"  # readable on the dashboard's light and on its dark page
_LINES = "rgba(125, 130, 139, 0.25)"


def learning_curves(track: Track, answers: Sequence[Answer]) -> FigureParts:
    """Return the curves of a stream's trials against the sample gradients they took.

    Evaluations that are not finite are not drawn; a cross marks the last that was.

    Args:
        track: The stream.
        answers: Its trials that have ended.
    """
    metric, target = track.prepared.workload.metric, track.prepared.entry.target
    most = max(2, _POINTS // max(len(answers), 1))
    groups: dict[str, list[tuple[int, Array, Array]]] = {}
    shown = True
    for answer in answers:
        record = answer.record
        x = record.curve["sample_gradients"].to_numpy(dtype=float)
        y = record.curve["validation_metric"].to_numpy(dtype=float)
        x, y = x[np.isfinite(y)], y[np.isfinite(y)]
        if not len(y):
            continue
        group = _outcome(record, metric, target)
        kept = np.unique(np.linspace(0, len(y) - 1, min(len(y), most)).astype(int))
        shown = shown and len(kept) == len(y)
        curve = (answer.request.proposal.number, x[kept], y[kept])
        groups.setdefault(group, []).append(curve)
    traces = [_curves(name, groups[name]) for name in _COLOURS if name in groups]
    note = "" if shown else ", not every evaluation"
    values = [y for curves in groups.values() for _, _, y in curves]
    return {
        "data": traces,
        "layout": _layout(
            f"Learning curves{note}", "sample gradients", metric, target, values
        ),
    }


def race(
    track: Track, streams: Mapping[int, Sequence[Answer]], unpaired: bool
) -> FigureParts:
    """Return the best value so far against all that a stream has spent.

    Trials are taken one after the other, in the order in which they were asked for, and
    all of them are charged.

    Args:
        track: The stream that stands out.
        streams: Trials that have ended, by the tuner seed of the stream.
        unpaired: Whether each trial is a path of its own, as for arms that are not
            tuned.
    """
    metric, target = track.prepared.workload.metric, track.prepared.entry.target
    own = streams.get(track.seed, ())
    paths = [[answer] for answer in own] if unpaired else [own]
    others = (
        [] if unpaired else [a for seed, a in streams.items() if seed != track.seed]
    )
    name = "each seed" if unpaired else f"stream {track.seed}"
    drawn = [(_GREY, "other streams", o) for o in others[:_OTHERS]]
    drawn += [(_BLUE, name, path) for path in paths]
    traces, values, named = [], [], set()
    for colour, label, path in drawn:
        x, y = _best_so_far(path, metric)
        if not len(y):
            continue
        traces.append(
            {
                **_line(label, colour, x, y),
                "line": {"shape": "hv", "width": 1 if colour == _GREY else 2.5},
                "legendgroup": label,
                "showlegend": label not in named,
            }
        )
        named.add(label)
        values.append(y)
    more = len(others) - _OTHERS
    title = "Best value so far" + (f"; {more} more streams not drawn" * (more > 0))
    layout = _layout(title, "cost so far, in sample gradients", metric, target, values)
    layout["xaxis"]["type"] = "log"
    return {"data": traces, "layout": layout}


_COLOURS = {
    "missed the target": _GREY,
    "met the target": _BLUE,
    "diverged or crashed": _VERMILLION,
}
"""Outcomes of trials, in the order in which they are drawn."""


def _outcome(record: TrialRecord, metric: Metric, target: float) -> str:
    if record.end in (EndReason.DIVERGED, EndReason.CRASHED):
        return "diverged or crashed"
    hit = first_hit(record.curve["validation_metric"], target, metric.mode)
    return "missed the target" if hit is None else "met the target"


def _curves(name: str, curves: Sequence[tuple[int, Array, Array]]) -> FigureParts:
    """Return all curves of one outcome as one trace, with gaps between them."""
    gap = [np.nan]
    x = np.concatenate([part for _, x, _ in curves for part in (x, gap)])
    y = np.concatenate([part for _, _, y in curves for part in (y, gap)])
    numbers = [number for number, x, _ in curves for _ in range(len(x) + 1)]
    trace = _line(name, _COLOURS[name], x, y)
    if name == "diverged or crashed":
        ends = np.append(np.isnan(y[1:]), False)  # the last point before each gap
        trace["mode"] = "lines+markers"
        trace["marker"] |= {"symbol": "x", "size": np.where(ends, 8, 0).tolist()}
    return {
        **trace,
        "customdata": numbers,
        "hovertemplate": "trial %{customdata}<br>%{x}: %{y}<extra></extra>",
    }


def _line(name: str, colour: str, x: Array, y: Array) -> FigureParts:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": _rounded(x),
        "y": _rounded(y),
        "line": {"width": 1.5},
        "marker": {"color": colour},
    }


def _best_so_far(answers: Sequence[Answer], metric: Metric) -> tuple[Array, Array]:
    """Return spending and the best value by then: where it improves, and at the end."""
    costs, values, spent = [], [], 0.0
    for answer in answers:
        record = answer.record
        values.append(finite_part(record.curve["validation_metric"]))
        cost = record.curve["cost"].to_numpy(dtype=float)[: len(values[-1])]
        costs.append(spent + cost)
        spent += record.ledger.cost
    x = np.concatenate([*costs, [spent]])
    best = Direction(metric.mode).running_best(np.concatenate([*values, [np.nan]]))
    kept = np.append(True, best[1:] != best[:-1])
    kept[-1] = True
    kept &= np.isfinite(best) & (x > 0)  # the axis is a logarithm
    return x[kept], best[kept]


def _rounded(values: Array) -> list[float | None]:
    """Return numbers as JSON has them, no longer than a figure needs."""
    return [
        float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None
        for value in values
    ]


def _layout(
    title: str, x: str, metric: Metric, target: float, values: Sequence[Array]
) -> FigureParts:
    y = np.concatenate(values) if values else np.array([target])
    direction = Direction(metric.mode)
    name = html.escape(metric.name)  # plotly reads tags in texts
    axis = {"gridcolor": _LINES, "zeroline": False, "linecolor": _INK}
    # Losses that blow up would press all others onto the axis.
    positive = target > 0 and bool((y > 0).all())
    wide = not direction.up and positive and y.max() > 1000 * y.min()
    return {
        "template": "none",  # plotly's own would be most of the figure
        "title": {
            "text": f"{title} (dashed: {name} {direction.relation} {target:g})",
            "font": {"size": 15},
        },
        "paper_bgcolor": "rgba(0, 0, 0, 0)",
        "plot_bgcolor": "rgba(0, 0, 0, 0)",
        "font": {"color": _INK},
        "margin": {"l": 70, "r": 20, "t": 50, "b": 60},
        "legend": {"orientation": "h", "y": -0.2},
        "xaxis": {**axis, "title": {"text": x}},
        "yaxis": {
            **axis,
            "title": {"text": name},
            "type": "log" if wide else "linear",
        },
        "shapes": [
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": target,
                "y1": target,
                "line": {"color": _INK, "dash": "dash", "width": 1},
            }
        ],
    }
