"""Update rules: for packs by the names of a study, for any loop as torch optimizers.

`CLARA`, `GALA`, ... are optimizers of torch's kind (`torch_optim`). The rules on flat
vectors that they host are in `RULES`, and in the module of each.
"""

from __future__ import annotations

from hpo_vs_adapt.optim.base import Rule, build_rule, check_settings
from hpo_vs_adapt.optim.registry import RULES
from hpo_vs_adapt.optim.settings import Setting, SettingProblem, coerce_setting
from hpo_vs_adapt.optim.torch_optim import (
    CLARA,
    GALA,
    GAP,
    SLS,
    SPS,
    TLR,
    AdaGradNorm,
    DoWG,
    Hypergradient,
)

__all__ = [
    "CLARA",
    "GALA",
    "GAP",
    "RULES",
    "SLS",
    "SPS",
    "TLR",
    "AdaGradNorm",
    "DoWG",
    "Hypergradient",
    "Rule",
    "Setting",
    "SettingProblem",
    "build_rule",
    "check_settings",
    "coerce_setting",
]
