"""All update rules, by the names that a study gives them."""

from __future__ import annotations

from collections.abc import Mapping

from hpo_vs_adapt.optim.adagrad_norm import AdaGradNorm
from hpo_vs_adapt.optim.base import Rule
from hpo_vs_adapt.optim.baselines import BASELINES
from hpo_vs_adapt.optim.clara import CLARA
from hpo_vs_adapt.optim.dowg import DoWG
from hpo_vs_adapt.optim.fixed import SGD, Adam, AdamW
from hpo_vs_adapt.optim.gala import GALA
from hpo_vs_adapt.optim.gap import GAP
from hpo_vs_adapt.optim.hypergradient import Hypergradient
from hpo_vs_adapt.optim.line_search import SLS
from hpo_vs_adapt.optim.path_scheme import AgAdam, ALeRA, SALeRA
from hpo_vs_adapt.optim.polyak import SPS
from hpo_vs_adapt.optim.tlr import TLR

__all__ = ["RULES"]

RULES: Mapping[str, type[Rule]] = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "gala": GALA,
    "clara": CLARA,
    "gap": GAP,
    "tlr": TLR,
    "hypergradient": Hypergradient,
    "alera": ALeRA,
    "agadam": AgAdam,
    "salera": SALeRA,
    "dowg": DoWG,
    "adagrad_norm": AdaGradNorm,
    "sls": SLS,
    "sps": SPS,
    **BASELINES,
}
"""The rules that come with the package; others are named ``package.module:Name``."""
