from __future__ import annotations

import torch

from vsebench.components.fitter._centres import centres


def test_centres_are_the_means_of_what_is_nearest_to_them() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(3, 4, generator=generator)[torch.arange(90) % 3] * 9 + torch.randn(90, 4, generator=generator)
    result = centres(rows, 3, seed=1)
    nearest = torch.cdist(rows.double(), result).argmin(dim=1)
    for k in range(3):
        assert torch.allclose(result[k], rows.double()[nearest == k].mean(dim=0), atol=1e-6)
    assert torch.equal(centres(rows, 3, seed=1), result)


def test_few_distinct_rows_are_the_centres() -> None:
    rows = torch.tensor([[1.0, 2.0], [0.0, 5.0], [1.0, 2.0]])
    for count in (2, 3, 500):
        assert centres(rows, count, seed=0).tolist() == [[0.0, 5.0], [1.0, 2.0]]
    assert len(centres(rows, 1, seed=0)) == 1
