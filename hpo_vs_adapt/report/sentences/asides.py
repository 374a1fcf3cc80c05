"""What a reader must know of an arm beside its numbers."""

from __future__ import annotations

from collections.abc import Iterator

from hpo_vs_adapt import wording
from hpo_vs_adapt.study import Arm, Study

__all__ = ["make_asides"]


def make_asides(study: Study) -> list[tuple[str, str]]:
    """Return arms and sentences: what was chosen before the study, or set aside.

    What a calibration cost stands beside the bills, and is in none of them: it was paid
    once, for all workloads to come.
    """
    return [(arm.name, sentence) for arm in study.arms for sentence in _of(arm)]


def _of(arm: Arm) -> Iterator[str]:
    chosen = arm.calibration
    if chosen is not None:
        settings = ", ".join(f"{n} {_spell(v)}" for n, v in chosen.settings.items())
        yield (
            f"Its settings ({settings}) were chosen once, by "
            f"{wording.counted(chosen.trials, 'trial')} on "
            f"{wording.series(chosen.workloads)}, which cost "
            f"{wording.amount(chosen.cost)} sample gradients beside the bill."
        )
    if arm.held_out:
        yield (
            f"It sets {arm.held_out:.0%} of the training samples aside and looks at "
            "their gradients; it trains on the others."
        )
    if arm.members:
        names = wording.series([member.name for member in arm.members])
        yield f"It tries {names}, in this order, until one of them meets the target."


def _spell(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
