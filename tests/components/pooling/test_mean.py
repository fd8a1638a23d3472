from __future__ import annotations

import torch

from vsebench.components.pooling.mean import Mean
from vsebench.core.types import Tokens


def test_equals_the_mean_of_the_real_tokens() -> None:
    torch.manual_seed(0)
    values, mask = torch.randn(3, 4, 5), torch.rand(3, 4) < 0.7
    mask[:, 0] = True
    wanted = [sum(v for v, m in zip(values[b], mask[b], strict=True) if m) / int(mask[b].sum()) for b in range(3)]
    torch.testing.assert_close(Mean(5)(Tokens(values, mask)), torch.stack(wanted))


def test_one_token_is_its_own_mean() -> None:
    values = torch.randn(2, 1, 5)
    assert torch.equal(Mean(5)(Tokens(values, torch.ones(2, 1, dtype=torch.bool))), values[:, 0])
