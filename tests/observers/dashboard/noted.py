"""A study trained in this process, with notes and figures in its Optuna studies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import optuna
import optuna_dashboard
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects

from hpo_vs_adapt.observers.dashboard.annotations import Annotations
from hpo_vs_adapt.observers.dashboard.streams import StreamMirrors
from hpo_vs_adapt.observers.dashboard.studies import OptunaStudies
from hpo_vs_adapt.plan.packs import PackJob
from hpo_vs_adapt.plan.plan import Plan
from hpo_vs_adapt.records.store import RecordStore
from hpo_vs_adapt.schedule.worker import PackWorker, crash_record
from hpo_vs_adapt.study import Study
from tests.running import make_study, write

EVIL = "e_v_il <b>x<script>, `c` $y$ [z](w) ✓ <img src=x onerror=alert(1)>"
BROKEN = """\
    from hpo_vs_adapt.optim.fixed import SGD


    class Broken(SGD):
        def update(self, w, g, state, oracle):
            raise RuntimeError("no <luck> | at_all")
"""
RATE = {"lr": {"low": 1e-3, "high": 1.0, "log": True}}
TPE = {"by": "optuna", "trials": 3, "space": RATE, "objective": "cost", "retrain": 0}
ARMS = [
    {
        "name": "grid",
        "optimizer": {"rule": "sgd", "momentum": 0.9},
        "tune": {"by": "grid", "grid": {"lr": [0.01, 0.1, 1e38]}, "retrain": 2},
    },
    {"name": "tpe", "optimizer": {"rule": "adam"}, "tune": TPE},
    {"name": EVIL, "optimizer": {"rule": "clara", "lr": 0.01}},
    {"name": "broken", "optimizer": {"rule": "broken.py:Broken"}},
]
IRIS = {"name": "iris_logreg", "budget": {"epochs": 4}, "target": 0.8}
SWEEP = [{"arms": [EVIL], "vary": {"lr": [1e-4, 1e-2]}}]


def noted_study(folder: Path) -> Study:
    """Write a study: a search that diverges, one for cost, a broken rule, a sweep."""
    write(folder, "broken.py", BROKEN)
    return make_study(folder, ARMS, [IRIS], (0, 1), sensitivity=SWEEP)


def train(study: Study, packs: int = 100) -> None:
    """Train some packs in this process, and write notes and figures."""
    with OptunaStudies(study.storage.optuna) as studies:
        listeners = [StreamMirrors(studies), Annotations(study, studies)]
        plan = Plan(study, RecordStore(study.storage.records), listeners)
        plan.advance()
        plan.listeners.changed(None)
        for _ in range(packs):
            job = plan.next_pack(1, lambda request: 100)
            if job is None:
                break
            _train(plan, job)
            plan.advance()
        plan.listeners.closed()


def _train(plan: Plan, job: PackJob) -> None:
    worker = PackWorker({n: p.arrays for n, p in plan.prepared.items()}, "cpu", 1)
    worker.begin(job)
    while not worker.done:
        report = worker.work(60)
        for record in report.finished:
            plan.finish(record)
        if report.failure is not None:
            for key, spec in zip(job.keys, job.specs, strict=True):
                plan.finish(crash_record(key, spec, report.failure.text, 1 / 3))
            return


def loaded(study: Study, name: str) -> optuna.Study:
    return optuna.load_study(study_name=f"tiny/{name}", storage=study.storage.optuna)


def note(study: Study, name: str) -> str:
    return optuna_dashboard.get_note(loaded(study, name))


def system_attributes(study: Study, name: str) -> dict[str, Any]:
    one = loaded(study, name)
    return one._storage.get_study_system_attrs(one._study_id)


def figures(study: Study, name: str) -> dict[str, dict[str, Any]]:
    """Return our figures in an Optuna study, as the dashboard reads them."""
    attributes = system_attributes(study, name)
    found = get_plotly_graph_objects(attributes)
    return {key: json.loads(text) for key, text in found.items()}
