"""Reports of many kinds of studies, and visits to their pages in a browser."""

import dataclasses
import math

import numpy as np
import pytest

from tests.report import builder

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


def evil():
    """Twelve arms, names that try everything, a loss beside an accuracy."""
    arms = [
        builder.grid_arm("a <script>window.hacked = 1</script>"),
        builder.optuna_arm("\"quoted\" 'twice' & 🚀"),
        builder.fixed_arm("_z" + "z" * 200, 0.1),
        builder.adaptive_arm("]]>--><b>&amp;$x_1$", 1e-3),
        *(builder.adaptive_arm(f"{'long ' * i}{i}", 1e-3 * 2**i) for i in range(1, 9)),
    ]
    entries = [
        builder.workload("file.py:W</title><img src=x onerror=alert(1)>"),
        builder.workload("w" * 120, 0.4, builder.LOSS),
    ]
    return builder.finished(builder.study(arms, entries, name="</style>evil"))


def unfinished():
    """One stream of one arm is missing, one trial crashed, the sweep has not begun."""
    results = builder.finished(builder.study())
    records = results.records
    gone = (records["arm"] == "adam-tpe") & (records["stream"] == 2)
    records = records[~gone & (records["role"] != "sweep")].reset_index(drop=True)
    crash = {
        "end": "crashed",
        "failed": True,
        "hit": False,
        "cost_to_target": math.inf,
        "best_metric": math.nan,
        "error": "RuntimeError: out of <memory>",
    }
    records = records.astype({"error": object})
    records.loc[0, list(crash)] = list(crash.values())
    names = ["workload", "arm", "role"]
    done = records.groupby(names).size()
    progress = results.progress.set_index(names)
    progress["done"] = done.reindex(progress.index, fill_value=0)
    return dataclasses.replace(
        results, records=records, progress=progress.reset_index()
    )


def empty():
    one = builder.study()
    planned = [
        (e.name, a.name, "policy", 3, 0) for e in one.workloads for a in one.arms
    ]
    return builder.Records().results(one, builder.progress(planned))


def diverged():
    """Every trial learnt for a while and then exploded."""
    arms = [builder.fixed_arm(), builder.adaptive_arm()]
    one = builder.study(arms, sweep=False)
    records = builder.Records()
    for arm in arms:
        for number, seed in enumerate(one.seeds):
            curve = builder.train(one.workloads[0], arm, 1e-3, seed)
            curve = curve.head(4).copy()
            curve.loc[curve.index[-1], "validation_metric"] = np.nan
            records.add(one.workloads[0], arm, 1e-3, seed, number=number, curve=curve)
    return records.results(one)


def forty():
    """Forty arms of all kinds on one workload."""
    arms = [
        *(builder.grid_arm(f"grid-{i}") for i in range(5)),
        *(builder.optuna_arm(f"tpe-{i}", 4) for i in range(5)),
        *(builder.fixed_arm(f"fixed-{i}", 10 ** (-4 + i / 8)) for i in range(15)),
        *(builder.adaptive_arm(f"adaptive-{i}", 1e-3 * 2**i) for i in range(15)),
    ]
    return builder.finished(builder.study(arms, sweep=False))


STUDIES = {
    "finished": lambda: builder.finished(builder.study()),
    "evil": evil,
    "unfinished": unfinished,
    "empty": empty,
    "diverged": diverged,
    "forty": forty,
    "never": lambda: builder.finished(
        builder.study(workloads=[builder.workload(target=0.9999)])
    ),
    "one-arm": lambda: builder.finished(
        builder.study([builder.fixed_arm()], seeds=[0, 1, 2], sweep=False)
    ),
    "one-trial": lambda: builder.finished(
        builder.study([builder.fixed_arm()], seeds=[0], sweep=False)
    ),
}

NAMES = [
    pytest.param(name, marks=pytest.mark.long)
    if name in ("forty", "never", "one-trial")
    else name
    for name in STUDIES
]
"""Their names, for tests that look at each; three of them take long to look at."""


class Visit:
    """A page that was opened, and what it did."""

    def __init__(self, browser, directory, size=None, scheme="light", script=True):
        self.context = browser.new_context(
            viewport=size or DESKTOP, color_scheme=scheme, java_script_enabled=script
        )
        self.page = self.context.new_page()
        self.said, self.requests = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.url = f"file://{directory / 'index.html'}"
        self.page.goto(self.url)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()
