"""A study: what is compared, read from one YAML file and checked before it runs."""

from hpo_vs_adapt.study.core import Study
from hpo_vs_adapt.study.errors import StudyError
from hpo_vs_adapt.study.parts import (
    Arm,
    Resources,
    Space,
    Storage,
    Sweep,
    Tune,
    WorkloadEntry,
)
from hpo_vs_adapt.study.published import Published, PublishedRow

__all__ = [
    "Arm",
    "Published",
    "PublishedRow",
    "Resources",
    "Space",
    "Storage",
    "Study",
    "StudyError",
    "Sweep",
    "Tune",
    "WorkloadEntry",
]
