"""What a policy costs until the target is met, how sure that is, how sensitive it is.

Pure functions on arrays and tidy tables; nothing here trains, reads or writes.
"""

# mypy: implicit-reexport
# ruff: noqa: F401

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo_vs_adapt.metrics.basics.cost import (
        expected_finite_list,
        expected_running_time,
    )
    from hpo_vs_adapt.metrics.basics.hits import Crossing, target_crossing
    from hpo_vs_adapt.metrics.basics.passes import PASS_COLUMNS, arm_passes
    from hpo_vs_adapt.metrics.costs.bills import (
        BILL_COLUMNS,
        arm_bills,
        reference_ratios,
    )
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
    from hpo_vs_adapt.metrics.sensitivity.sweeps import SWEEP_COLUMNS, sweep_table
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
    from hpo_vs_adapt.metrics.targets.difficulty import (
        TARGET_SWEEP_COLUMNS,
        target_sweep,
    )
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
    from hpo_vs_adapt.metrics.uncertainty.coverage import (
        INTERVAL_COVERAGE,
        interval_note,
    )
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
    from hpo_vs_adapt.metrics.uncertainty.survival import restricted_mean, survival

_NAMES = {
    "basics.cost": "expected_finite_list expected_running_time",
    "basics.hits": "Crossing target_crossing",
    "basics.passes": "PASS_COLUMNS arm_passes",
    "costs.bills": "BILL_COLUMNS arm_bills reference_ratios",
    "costs.break_even": "BREAK_EVEN_COLUMNS break_even_failure_fraction "
    "break_even_runs break_even_table",
    "costs.break_even_curves": "failure_price_curves retraining_curves",
    "costs.paired": "PAIRED_COLUMNS paired_ratios",
    "costs.parallel": "expected_parallel",
    "costs.plans": "full_plans",
    "costs.ranking": "RANKING_COLUMNS bill_ranks rank_arms ranking",
    "costs.workers": "bills_by_workers",
    "replay.curve_grid": "CurveGrid",
    "replay.replay": "TUNERS replay_tuner tuner_bills",
    "sensitivity.batch_sizes": "batch_size_spread lr_drift",
    "sensitivity.dimensions": "DIMENSION_COLUMNS dimension_table",
    "sensitivity.hyperparameters": "SubsetCurve effective_dimension "
    "hyperparameter_sensitivity subset_curve",
    "sensitivity.importances": "IMPORTANCE_COLUMNS hyperparameter_importances",
    "sensitivity.lr_curves": "Basin basin_width lr_sensitivity misspecification_regret",
    "sensitivity.sensitivity_numbers": "SENSITIVITY_COLUMNS knob_table "
    "sensitivity_numbers",
    "sensitivity.sensitivity_plane": "PLANE_COLUMNS adkins_plane",
    "sensitivity.surrogate": "PARTIAL_DEPENDENCE_COLUMNS partial_dependence",
    "sensitivity.sweeps": "SWEEP_COLUMNS sweep_table",
    "suites.across": "ACROSS_COLUMNS ALPHAS across_workloads budget_profiles",
    "suites.pairwise": "IMPROVEMENT_COLUMNS improvement",
    "suites.profiles": "data_profile leave_one_out_scores profile_scores",
    "targets.difficulty": "TARGET_SWEEP_COLUMNS target_sweep",
    "targets.retargeting": "retarget",
    "tuners.arm_tuning": "BEST_OF_K_COLUMNS TUNABILITY_COLUMNS best_of_k_table "
    "tunability_table",
    "tuners.best_of_k": "best_of_k best_of_k_band",
    "tuners.tunability": "Tunability tunability",
    "tuners.tuning_curves": "best_probability tuning_curves tuning_tables",
    "uncertainty.arm_survival": "RESTRICTED_MEAN_COLUMNS SURVIVAL_TABLE_COLUMNS "
    "restricted_mean_table survival_table",
    "uncertainty.coverage": "INTERVAL_COVERAGE interval_note",
    "uncertainty.interquartile": "IQM_ACROSS_COLUMNS IQM_COLUMNS iqm_across iqm_table",
    "uncertainty.intervals": "ert_interval first_probability log_ert_quantiles",
    "uncertainty.power": "POWER_COLUMNS seeds_needed",
    "uncertainty.survival": "restricted_mean survival",
}
"""Public names by the module that they come from."""

_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    # On demand: who asks what a hit is does not wait for SciPy.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
