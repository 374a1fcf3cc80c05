"""Workloads: data, model, loss, metric, target and budget under one name."""

from __future__ import annotations

from hpo_vs_adapt.workloads.base import (
    ACCURACY,
    Arrays,
    DataError,
    Dataset,
    Metric,
    Workload,
    standardise,
)
from hpo_vs_adapt.workloads.checks import check_workload
from hpo_vs_adapt.workloads.fashion_mnist import FashionMNISTCNN, FashionMNISTMLP
from hpo_vs_adapt.workloads.mnist1d import MNIST1DCNN, MNIST1DMLP
from hpo_vs_adapt.workloads.quadratics import (
    LeastSquares,
    NoisyLeastSquares,
    NoisyQuadratic,
    Quadratic,
)
from hpo_vs_adapt.workloads.synthetic import (
    Ackley,
    Beale,
    Eggholder,
    Ellipsoid,
    Himmelblau,
    NoisyEllipsoid,
    NoisySphere,
    Rosenbrock,
    Sphere,
    ThreeHumpCamel,
)
from hpo_vs_adapt.workloads.tabular import (
    BreastCancerLogreg,
    DigitsLogreg,
    DigitsMLP,
    IrisLogreg,
    WineLogreg,
)

__all__ = [
    "ACCURACY",
    "WORKLOADS",
    "Arrays",
    "DataError",
    "Dataset",
    "Metric",
    "Workload",
    "check_workload",
    "standardise",
]

WORKLOADS: dict[str, type[Workload]] = {
    "breast_cancer_logreg": BreastCancerLogreg,
    "digits_logreg": DigitsLogreg,
    "digits_mlp": DigitsMLP,
    "fashion_mnist_cnn": FashionMNISTCNN,
    "fashion_mnist_mlp": FashionMNISTMLP,
    "iris_logreg": IrisLogreg,
    "mnist1d_cnn": MNIST1DCNN,
    "mnist1d_mlp": MNIST1DMLP,
    "wine_logreg": WineLogreg,
    "sphere": Sphere,
    "noisy_sphere": NoisySphere,
    "ellipsoid": Ellipsoid,
    "noisy_ellipsoid": NoisyEllipsoid,
    "rosenbrock": Rosenbrock,
    "himmelblau": Himmelblau,
    "beale": Beale,
    "eggholder": Eggholder,
    "three_hump_camel": ThreeHumpCamel,
    "ackley": Ackley,
    "quadratic": Quadratic,
    "noisy_quadratic": NoisyQuadratic,
    "least_squares": LeastSquares,
    "noisy_least_squares": NoisyLeastSquares,
}
"""What a study can name."""
