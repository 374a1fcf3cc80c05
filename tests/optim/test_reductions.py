"""Inner products and norms in blocks: exact enough, and blind to other lanes."""

import pytest
import torch

from hpo_vs_adapt.optim.reductions import (
    blocks,
    compare,
    distance,
    dot,
    norm,
    overwrite,
)

# Of float32 sums of a block, relative: one entry after another, each rounded once, by
# errors that are independent. Wider vectors of a processor only shorten the row.
ROUNDING = 2.0**-24 * (2**17) ** 0.5

SIZES = [1, 7, 2**17, 2**17 + 1, 300_001]


def vectors(size, lanes, dtype=torch.float32):
    source = torch.Generator().manual_seed(size)
    return torch.randn(2, lanes, size, generator=source).to(dtype)


@pytest.mark.parametrize("size", SIZES)
def test_blocks_cover_a_vector_once(size):
    a = torch.zeros(2, size)
    for place in blocks(a):
        a[..., place] += 1
    assert torch.equal(a, torch.ones(2, size))


@pytest.mark.parametrize("size", SIZES)
def test_they_are_the_sums_of_float64(size):
    a, b = vectors(size, 3)
    wide, other = a.double(), b.double()
    close = {"rtol": ROUNDING, "atol": 0}
    expected = wide.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(norm(a).double(), expected, **close)
    expected = (wide - other).norm(dim=-1, keepdim=True)
    torch.testing.assert_close(distance(a, b).double(), expected, **close)
    expected = (wide * other).sum(-1, keepdim=True)
    # Its terms have both signs: partial sums of k of them are as large as root k.
    torch.testing.assert_close(
        dot(a, b).double(), expected, rtol=0, atol=2.0**-24 * size
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", SIZES)
def test_a_lane_does_not_see_the_others(size, dtype):
    a, b = vectors(size, 5, dtype)
    kept = torch.tensor([1, 4])
    for reduce in (dot, distance):
        assert torch.equal(reduce(a, b)[kept], reduce(a[kept], b[kept]))
    assert torch.equal(norm(a)[kept], norm(a[kept]))


@pytest.mark.parametrize("size", SIZES)
def test_what_is_read_once_is_what_is_read_apart(size):
    a, b = vectors(size, 3)
    together = compare(a, b)
    for one, other in zip(together, (dot(a, b), distance(a, b), norm(a)), strict=True):
        assert torch.equal(one, other)
    expected = distance(a, b)
    assert torch.equal(overwrite(a, b), expected)
    assert torch.equal(a, b)


def test_a_long_norm_keeps_its_digits():
    # Added up in one go in float32, ten million squares lose four digits.
    a = torch.randn(10_000_000, generator=torch.Generator().manual_seed(0))
    assert norm(a).item() == pytest.approx(a.double().norm().item(), rel=ROUNDING)
