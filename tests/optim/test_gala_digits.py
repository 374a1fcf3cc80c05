"""GALA on digits: it arrives whatever rate it starts from."""

import pytest

from tests import packs

RATES = (1e-5, 1e-3, 0.1, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "least"),
    [
        ({"momentum": 0}, 0.95),
        ({"align": "direction"}, 0.95),
        # Momentum multiplies the steps by ten, and the sums know raw gradients alone.
        ({}, 0.6),
        ({"base": "adam"}, 0.94),
        ({"base": "adamw"}, 0.94),
    ],
    ids=str,
)
def test_it_learns_digits_from_any_rate(settings, least):
    lanes = [
        packs.trial(rule="gala", lr=lr, steps=560, every=70, batch_size=64, **settings)
        for lr in RATES
    ]
    results = packs.run(packs.make_pack(lanes))
    for lane in range(len(RATES)):
        curve = results[lane].curve
        assert curve["validation_metric"].iloc[-1] >= least
        assert curve["rejected"].iloc[-1] == 0
