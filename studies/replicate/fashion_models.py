"""Models of the replicated papers, on Fashion-MNIST in the place of MNIST."""

from torch import nn
from typing_extensions import override

from hpo_vs_adapt.workloads.fashion_mnist import FashionMNISTMLP


class _Fashion(FashionMNISTMLP):
    target = 0.85
    target_source = "a round figure; the studies are about losses, not about targets"


class Logreg(_Fashion):
    """Multinomial logistic regression (Baydin et al., ICLR 2018)."""

    target = 0.80

    @override
    def model(self) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


class Wide(_Fashion):
    """One hidden layer of 1000 with ReLU (Retsinas et al., ICASSP 2023)."""

    @override
    def model(self) -> nn.Module:
        return nn.Sequential(
            nn.Flatten(), nn.Linear(784, 1000), nn.ReLU(), nn.Linear(1000, 10)
        )


class WideAndDeep(_Fashion):
    """Two hidden layers of 1000 with ReLU (Baydin et al., ICLR 2018)."""

    @override
    def model(self) -> nn.Module:
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(784, 1000),
            nn.ReLU(),
            nn.Linear(1000, 1000),
            nn.ReLU(),
            nn.Linear(1000, 10),
        )
