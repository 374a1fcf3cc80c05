"""The optimizers of libraries that come as rules, by the names that a study uses."""

from __future__ import annotations

from collections.abc import Mapping

from hpo_vs_adapt.optim.cocob_library import COCOB
from hpo_vs_adapt.optim.dog_library import DoG, LDoG
from hpo_vs_adapt.optim.external import External
from hpo_vs_adapt.optim.mechanic_library import MechanicAdam, MechanicSGD
from hpo_vs_adapt.optim.momo_library import MoMo, MoMoAdam
from hpo_vs_adapt.optim.pytorch_optimizer_library import (
    AdamG,
    AliG,
    DAdaptAdam,
    DAdaptSGD,
    Prodigy,
    ScheduleFreeAdamW,
    ScheduleFreeRAdam,
    ScheduleFreeSGD,
)
from hpo_vs_adapt.optim.torch_library import (
    Adagrad,
    Muon,
    NAdam,
    NAdamW,
    RMSprop,
    has_muon,
)

__all__ = ["BASELINES"]

BASELINES: Mapping[str, type[External]] = {
    "nadam": NAdam,
    "nadamw": NAdamW,
    "rmsprop": RMSprop,
    "adagrad": Adagrad,
    **({"muon": Muon} if has_muon() else {}),
    "dadapt_sgd": DAdaptSGD,
    "dadapt_adam": DAdaptAdam,
    "prodigy": Prodigy,
    "schedule_free_sgd": ScheduleFreeSGD,
    "schedule_free_adamw": ScheduleFreeAdamW,
    "schedule_free_radam": ScheduleFreeRAdam,
    "alig": AliG,
    "adamg": AdamG,
    "dog": DoG,
    "ldog": LDoG,
    "momo": MoMo,
    "momo_adam": MoMoAdam,
    "cocob": COCOB,
    "mechanic_sgd": MechanicSGD,
    "mechanic_adam": MechanicAdam,
}
"""Muon is among them where the installed torch has it."""
