"""What a policy costs until the target is met, how sure that is, how sensitive it is.

Pure functions on arrays and tidy tables; nothing here trains, reads or writes.
"""

from __future__ import annotations

from hpo_vs_adapt.metrics.basics.cost import (
    Crossing,
    expected_finite_list,
    expected_running_time,
    target_crossing,
)
from hpo_vs_adapt.metrics.basics.passes import PASS_COLUMNS, arm_passes
from hpo_vs_adapt.metrics.costs.bills import BILL_COLUMNS, arm_bills, reference_ratios
from hpo_vs_adapt.metrics.costs.break_even import (
    BREAK_EVEN_COLUMNS,
    break_even_failure_fraction,
    break_even_runs,
    break_even_table,
)
from hpo_vs_adapt.metrics.costs.break_even_curves import (
    failure_price_curves,
    retraining_curves,
)
from hpo_vs_adapt.metrics.costs.paired import PAIRED_COLUMNS, paired_ratios
from hpo_vs_adapt.metrics.costs.parallel import expected_parallel
from hpo_vs_adapt.metrics.costs.plans import full_plans
from hpo_vs_adapt.metrics.costs.ranking import (
    RANKING_COLUMNS,
    bill_ranks,
    rank_arms,
    ranking,
)
from hpo_vs_adapt.metrics.costs.workers import bills_by_workers
from hpo_vs_adapt.metrics.replay.curve_grid import CurveGrid
from hpo_vs_adapt.metrics.replay.replay import TUNERS, replay_tuner, tuner_bills
from hpo_vs_adapt.metrics.sensitivity.batch_sizes import batch_size_spread, lr_drift
from hpo_vs_adapt.metrics.sensitivity.dimensions import (
    DIMENSION_COLUMNS,
    dimension_table,
)
from hpo_vs_adapt.metrics.sensitivity.hyperparameters import (
    SubsetCurve,
    effective_dimension,
    hyperparameter_sensitivity,
    subset_curve,
)
from hpo_vs_adapt.metrics.sensitivity.importances import (
    IMPORTANCE_COLUMNS,
    hyperparameter_importances,
)
from hpo_vs_adapt.metrics.sensitivity.lr_curves import (
    Basin,
    basin_width,
    lr_sensitivity,
    misspecification_regret,
)
from hpo_vs_adapt.metrics.sensitivity.sensitivity_numbers import (
    SENSITIVITY_COLUMNS,
    knob_table,
    sensitivity_numbers,
)
from hpo_vs_adapt.metrics.sensitivity.sensitivity_plane import (
    PLANE_COLUMNS,
    adkins_plane,
)
from hpo_vs_adapt.metrics.sensitivity.surrogate import (
    PARTIAL_DEPENDENCE_COLUMNS,
    partial_dependence,
)
from hpo_vs_adapt.metrics.sensitivity.sweeps import SWEEP_COLUMNS, lr_basin, sweep_table
from hpo_vs_adapt.metrics.suites.across import (
    ACROSS_COLUMNS,
    ALPHAS,
    across_workloads,
    budget_profiles,
)
from hpo_vs_adapt.metrics.suites.pairwise import IMPROVEMENT_COLUMNS, improvement
from hpo_vs_adapt.metrics.suites.profiles import (
    data_profile,
    leave_one_out_scores,
    profile_scores,
)
from hpo_vs_adapt.metrics.targets.difficulty import TARGET_SWEEP_COLUMNS, target_sweep
from hpo_vs_adapt.metrics.targets.retargeting import retarget
from hpo_vs_adapt.metrics.tuners.arm_tuning import (
    BEST_OF_K_COLUMNS,
    TUNABILITY_COLUMNS,
    best_of_k_table,
    tunability_table,
)
from hpo_vs_adapt.metrics.tuners.best_of_k import best_of_k, best_of_k_band
from hpo_vs_adapt.metrics.tuners.tunability import Tunability, tunability
from hpo_vs_adapt.metrics.tuners.tuning_curves import (
    best_probability,
    tuning_curves,
    tuning_tables,
)
from hpo_vs_adapt.metrics.uncertainty.arm_survival import (
    RESTRICTED_MEAN_COLUMNS,
    SURVIVAL_TABLE_COLUMNS,
    restricted_mean_table,
    survival_table,
)
from hpo_vs_adapt.metrics.uncertainty.coverage import INTERVAL_COVERAGE, interval_note
from hpo_vs_adapt.metrics.uncertainty.interquartile import (
    IQM_ACROSS_COLUMNS,
    IQM_COLUMNS,
    iqm_across,
    iqm_table,
)
from hpo_vs_adapt.metrics.uncertainty.intervals import (
    ert_interval,
    first_probability,
    log_ert_quantiles,
)
from hpo_vs_adapt.metrics.uncertainty.power import POWER_COLUMNS, seeds_needed
from hpo_vs_adapt.metrics.uncertainty.resampling import (
    bootstrap,
    improvement_interval,
    iqm,
    probability_of_improvement,
)
from hpo_vs_adapt.metrics.uncertainty.survival import restricted_mean, survival

__all__ = [
    "ACROSS_COLUMNS",
    "ALPHAS",
    "BEST_OF_K_COLUMNS",
    "BILL_COLUMNS",
    "BREAK_EVEN_COLUMNS",
    "DIMENSION_COLUMNS",
    "IMPORTANCE_COLUMNS",
    "IMPROVEMENT_COLUMNS",
    "INTERVAL_COVERAGE",
    "IQM_ACROSS_COLUMNS",
    "IQM_COLUMNS",
    "PAIRED_COLUMNS",
    "PARTIAL_DEPENDENCE_COLUMNS",
    "PASS_COLUMNS",
    "PLANE_COLUMNS",
    "POWER_COLUMNS",
    "RANKING_COLUMNS",
    "RESTRICTED_MEAN_COLUMNS",
    "SENSITIVITY_COLUMNS",
    "SURVIVAL_TABLE_COLUMNS",
    "SWEEP_COLUMNS",
    "TARGET_SWEEP_COLUMNS",
    "TUNABILITY_COLUMNS",
    "TUNERS",
    "Basin",
    "Crossing",
    "CurveGrid",
    "SubsetCurve",
    "Tunability",
    "across_workloads",
    "adkins_plane",
    "arm_bills",
    "arm_passes",
    "basin_width",
    "batch_size_spread",
    "best_of_k",
    "best_of_k_band",
    "best_of_k_table",
    "best_probability",
    "bill_ranks",
    "bills_by_workers",
    "bootstrap",
    "break_even_failure_fraction",
    "break_even_runs",
    "break_even_table",
    "budget_profiles",
    "data_profile",
    "dimension_table",
    "effective_dimension",
    "ert_interval",
    "expected_finite_list",
    "expected_parallel",
    "expected_running_time",
    "failure_price_curves",
    "first_probability",
    "full_plans",
    "hyperparameter_importances",
    "hyperparameter_sensitivity",
    "improvement",
    "improvement_interval",
    "interval_note",
    "iqm",
    "iqm_across",
    "iqm_table",
    "knob_table",
    "leave_one_out_scores",
    "log_ert_quantiles",
    "lr_basin",
    "lr_drift",
    "lr_sensitivity",
    "misspecification_regret",
    "paired_ratios",
    "partial_dependence",
    "probability_of_improvement",
    "profile_scores",
    "rank_arms",
    "ranking",
    "reference_ratios",
    "replay_tuner",
    "restricted_mean",
    "restricted_mean_table",
    "retarget",
    "retraining_curves",
    "seeds_needed",
    "sensitivity_numbers",
    "subset_curve",
    "survival",
    "survival_table",
    "sweep_table",
    "target_crossing",
    "target_sweep",
    "tunability",
    "tunability_table",
    "tuner_bills",
    "tuning_curves",
    "tuning_tables",
]
