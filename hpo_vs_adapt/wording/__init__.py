"""Numbers, names and problems as people read them, without secrets."""

from hpo_vs_adapt.wording.names import (
    did_you_mean,
    listed,
    named,
    nearest,
    series,
    shorten,
    slugs,
)
from hpo_vs_adapt.wording.numbers import (
    UNKNOWN,
    amount,
    counted,
    interval,
    metric_value,
    percent,
    probability,
    rate,
    ratio,
    times_as_much,
    why_no_bill,
)
from hpo_vs_adapt.wording.problems import Problem
from hpo_vs_adapt.wording.secrets import Secrets, mask_uri

__all__ = [
    "UNKNOWN",
    "Problem",
    "Secrets",
    "amount",
    "counted",
    "did_you_mean",
    "interval",
    "listed",
    "mask_uri",
    "metric_value",
    "named",
    "nearest",
    "percent",
    "probability",
    "rate",
    "ratio",
    "series",
    "shorten",
    "slugs",
    "times_as_much",
    "why_no_bill",
]
