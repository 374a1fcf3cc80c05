"""What tuning fixed hyperparameters costs against rules that adapt while they train.

From Python::

    from hpo_vs_adapt import Study, run_study

    results = run_study(Study.from_yaml("studies/quickstart.yaml"))
    results.write_report("reports/quickstart")
"""

from hpo_vs_adapt.results import Results
from hpo_vs_adapt.run import load_results, plan_study, run_study
from hpo_vs_adapt.study import Study, StudyError

__all__ = ["Results", "Study", "StudyError", "load_results", "plan_study", "run_study"]
