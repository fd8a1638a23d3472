from __future__ import annotations

import pytest
import torch

from vsebench.components.pooling.kmax import KMax
from vsebench.components.pooling.max import Max
from vsebench.components.pooling.mean import Mean
from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens


@pytest.fixture
def tokens() -> Tokens:
    torch.manual_seed(0)
    mask = torch.rand(6, 5) < 0.6
    mask[:, 2] = True
    mask[0] = True
    return Tokens(torch.randn(6, 5, 4) - 3, mask)


@pytest.mark.parametrize("k", [1, 2, 3, 9])
def test_equals_the_mean_of_the_largest_values_of_each_item(tokens: Tokens, k: int) -> None:
    result = KMax(4, k=k)(tokens)
    for b in range(6):
        for d in range(4):
            real = sorted((float(tokens.values[b, n, d]) for n in range(5) if tokens.mask[b, n]), reverse=True)[:k]
            assert float(result[b, d]) == pytest.approx(sum(real) / len(real))


def test_a_short_set_does_not_shorten_the_next_one(tokens: Tokens) -> None:
    lengths = torch.tensor([1, 5, 2, 5, 3, 5])
    mask = torch.arange(5)[None] < lengths[:, None]
    result = KMax(4, k=4)(Tokens(tokens.values, mask))
    torch.testing.assert_close(result[3], tokens.values[3].topk(4, dim=0).values.mean(0))


def test_its_ends_are_max_and_mean(tokens: Tokens) -> None:
    torch.testing.assert_close(KMax(4, k=1)(tokens), Max(4)(tokens))
    torch.testing.assert_close(KMax(4, k=5)(tokens), Mean(4)(tokens))


def test_k_of_0_is_refused() -> None:
    with pytest.raises(ConfigError, match="option 'k' of pooling 'kmax': must be greater than 0"):
        KMax(4, k=0)
