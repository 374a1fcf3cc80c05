"""Two functions from the other corner, where the CLARA paper's code starts CLARA."""

from hpo_vs_adapt.workloads.synthetic import (
    Ellipsoid,
    NoisyEllipsoid,
    NoisySphere,
    Sphere,
)


class SphereFromBelow(Sphere):
    """`x^2 + y^2` from (-1, -1)."""

    start = (-1.0, -1.0)


class NoisySphereFromBelow(NoisySphere):
    """`x^2 + y^2` from (-1, -1), evaluated with noise of 0.1 a coordinate."""

    start = (-1.0, -1.0)


class EllipsoidFromBelow(Ellipsoid):
    """`x^2 + 1000 y^2` from (-1, -1)."""

    start = (-1.0, -1.0)


class NoisyEllipsoidFromBelow(NoisyEllipsoid):
    """`x^2 + 1000 y^2` from (-1, -1), with noise of 0.1 a coordinate."""

    start = (-1.0, -1.0)
