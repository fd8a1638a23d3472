from __future__ import annotations

import torch

from vsebench.components.pooling.max import Max
from vsebench.core.types import Tokens


def test_equals_the_largest_real_value_of_each_feature() -> None:
    torch.manual_seed(0)
    values, mask = torch.randn(3, 4, 5) - 3, torch.rand(3, 4) < 0.7
    mask[:, 0] = True
    result = Max(5)(Tokens(values, mask))
    for b in range(3):
        for d in range(5):
            assert float(result[b, d]) == max(float(values[b, n, d]) for n in range(4) if mask[b, n])


def test_one_token_is_its_own_maximum() -> None:
    values = torch.randn(2, 1, 5)
    assert torch.equal(Max(5)(Tokens(values, torch.ones(2, 1, dtype=torch.bool))), values[:, 0])
