"""What a policy costs until the target is met, how sure that is, how sensitive it is.

Pure functions on arrays and tidy tables; nothing here trains, reads or writes.
"""

from __future__ import annotations

from hpo_vs_adapt.metrics.bills import BILL_COLUMNS, arm_bills, reference_ratios
from hpo_vs_adapt.metrics.cost import (
    Crossing,
    expected_finite_list,
    expected_running_time,
    target_crossing,
)
from hpo_vs_adapt.metrics.passes import PASS_COLUMNS, arm_passes, full_plans
from hpo_vs_adapt.metrics.sensitivity import SWEEP_COLUMNS, lr_basin, sweep_table
from hpo_vs_adapt.metrics.statistics import (
    ert_interval,
    first_probability,
    log_ert_quantiles,
)

__all__ = [
    "BILL_COLUMNS",
    "PASS_COLUMNS",
    "SWEEP_COLUMNS",
    "Crossing",
    "arm_bills",
    "arm_passes",
    "ert_interval",
    "expected_finite_list",
    "expected_running_time",
    "first_probability",
    "full_plans",
    "log_ert_quantiles",
    "lr_basin",
    "reference_ratios",
    "sweep_table",
    "target_crossing",
]
