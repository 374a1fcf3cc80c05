"""What tuning fixed hyperparameters costs against rules that adapt while they train.

From Python:

    from hpo_vs_adapt import Study, run_study

    results = run_study(Study.from_yaml("studies/quickstart.yaml"))
    results.write_report("reports/quickstart")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo_vs_adapt.results import Results
    from hpo_vs_adapt.run import load_results, plan_study, run_study
    from hpo_vs_adapt.study import Study, StudyError

__all__ = ["Results", "Study", "StudyError", "load_results", "plan_study", "run_study"]

_HOMES = {
    "Results": "results",
    "Study": "study",
    "StudyError": "study",
    "load_results": "run",
    "plan_study": "run",
    "run_study": "run",
}


def __getattr__(name: str) -> Any:
    # On demand: a worker, or a rule in a loop of one's own, needs little of it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
