from __future__ import annotations

import torch

from vsebench.components.pooling.first import First
from vsebench.core.types import Tokens


def test_takes_the_first_token_whatever_follows() -> None:
    values, mask = torch.randn(2, 3, 4), torch.ones(2, 3, dtype=torch.bool)
    assert torch.equal(First(4)(Tokens(values, mask)), values[:, 0])


def test_ignores_the_final_state() -> None:
    values, mask = torch.randn(2, 3, 4), torch.ones(2, 3, dtype=torch.bool)
    assert torch.equal(First(4)(Tokens(values, mask, final=torch.randn(2, 4))), values[:, 0])
