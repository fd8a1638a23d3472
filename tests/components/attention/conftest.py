"""Tokens of two modalities, with padding."""

from __future__ import annotations

import pytest
import torch

from vsebench.core.types import Tokens


@pytest.fixture
def tokens() -> dict[str, Tokens]:
    """Four regions on a grid and three words; the second item has two regions and one word."""
    torch.manual_seed(0)
    return {
        "image": Tokens(torch.randn(2, 4, 6), torch.tensor([[True] * 4, [True, True, False, False]]), grid=(2, 2)),
        "text": Tokens(torch.randn(2, 3, 5), torch.tensor([[True] * 3, [True, False, False]])),
    }
