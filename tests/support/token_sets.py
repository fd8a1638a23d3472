"""Sets of tokens of several sizes, for tests of what compares them."""

from __future__ import annotations

import torch

from vsebench.core.types import Tokens


def sets(lengths: list[int], seed: int, dim: int) -> Tokens:
    """Random tokens, so many real ones of each item."""
    torch.manual_seed(seed)
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    return Tokens(torch.randn(*mask.shape, dim), mask)
