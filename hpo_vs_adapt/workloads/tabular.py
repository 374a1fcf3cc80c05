"""Small real data sets that come with scikit-learn.

Features are standardised one by one; under ``split: paper`` they are raw, with a random
80/20 split by the training seed (the protocol of the CLARA paper's experiments).
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from torch import nn
from typing_extensions import override

from hpo_vs_adapt.workloads.base import TUNED_TARGET, Arrays, Workload

__all__ = [
    "BreastCancerLogreg",
    "DigitsLogreg",
    "DigitsMLP",
    "IrisLogreg",
    "WineLogreg",
]


class _Tabular(Workload):
    """A data set of scikit-learn; `loader` is the name of its function there."""

    loader: ClassVar[str]
    target_source = TUNED_TARGET

    @override
    def load(self, data: Path | None) -> Arrays:
        # Imported here: it takes seconds, and most commands need no data.
        from sklearn import datasets

        x, y = getattr(datasets, self.loader)(return_X_y=True)
        return Arrays(x, y)

    @abstractmethod
    @override
    def model(self) -> nn.Module: ...


class DigitsMLP(_Tabular):
    """Handwritten digits of 8x8 pixels, a network 64-64-10 with ReLU.

    Split: 1150 training, 288 validation, 359 test samples. Features: 64 pixels,
    standardised one by one. Budget: 20 epochs of 17 steps, batch size 64.
    Target: tuned rules have medians of 0.965 to 0.972; 19 of 20 further runs reach it.
    """

    loader = "load_digits"
    target = 0.96
    epochs = 20
    batch_size = 64

    @override
    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


class DigitsLogreg(_Tabular):
    """Handwritten digits of 8x8 pixels, multinomial logistic regression.

    Split: 1150 training, 288 validation, 359 test samples. Features: 64 pixels,
    standardised one by one. Budget: 20 epochs of 17 steps, batch size 64.
    Target: tuned rules have medians of 0.958 to 0.965; 17 of 20 further runs reach it.
    """

    loader = "load_digits"
    target = 0.96
    epochs = 20
    batch_size = 64

    @override
    def model(self) -> nn.Module:
        return nn.Linear(64, 10)


class BreastCancerLogreg(_Tabular):
    """Breast cancer (Wisconsin, diagnostic), logistic regression over two classes.

    Split: 341 training, 114 validation, 114 test samples. Features: 30 measurements,
    standardised one by one. Budget: 30 epochs of 10 steps, batch size 32.
    Target: tuned rules have medians of 0.974 to 0.982; 17 of 20 further runs reach it.
    """

    loader = "load_breast_cancer"
    target = 0.97
    epochs = 30
    batch_size = 32
    validation_size = 114

    @override
    def model(self) -> nn.Module:
        return nn.Linear(30, 2)


class IrisLogreg(_Tabular):
    """Iris flowers, multinomial logistic regression.

    Split: 90 training, 30 validation, 30 test samples. Features: 4 measurements,
    standardised one by one. Budget: 40 epochs of 5 steps, batch size 16.
    Target: tuned rules have medians of 1, of which one validation sample is given away;
    20 of 20 further runs reach it.
    """

    loader = "load_iris"
    target = 0.96
    epochs = 40
    batch_size = 16
    validation_size = 30

    @override
    def model(self) -> nn.Module:
        return nn.Linear(4, 3)


class WineLogreg(_Tabular):
    """Wines by cultivar, multinomial logistic regression.

    Split: 106 training, 36 validation, 36 test samples. Features: 13 measurements,
    standardised one by one. Budget: 30 epochs of 6 steps, batch size 16.
    Target: tuned rules have medians of 0.972; 20 of 20 further runs reach it.
    """

    loader = "load_wine"
    target = 0.97
    epochs = 30
    batch_size = 16
    validation_size = 36

    @override
    def model(self) -> nn.Module:
        return nn.Linear(13, 3)
