from __future__ import annotations

import math

import pytest
import torch

from vsebench.components.pooling.self_attention import SelfAttention
from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens


@pytest.mark.parametrize("hops", [1, 3])
@torch.no_grad()
def test_equals_a_loop_over_hops_and_tokens(hops: int) -> None:
    torch.manual_seed(0)
    module = SelfAttention(5, dim_hidden=7, hops=hops)
    first, _, second = module.score
    values, mask = torch.randn(2, 4, 5), torch.tensor([[True] * 4, [True, False, True, False]])
    result = module(Tokens(values, mask))
    for b in range(2):
        real = [v for v, m in zip(values[b], mask[b], strict=True) if m]
        wanted = torch.zeros(5)
        for hop in range(hops):
            logits = [math.exp(float(second.weight[hop] @ torch.tanh(first.weight @ v))) for v in real]
            wanted += sum(x / sum(logits) * v for x, v in zip(logits, real, strict=True)) / hops
        torch.testing.assert_close(result[b], wanted, atol=1e-6, rtol=1e-5)


def test_equal_scores_give_the_mean() -> None:
    module = SelfAttention(5)
    torch.nn.init.zeros_(module.score[2].weight)
    values = torch.randn(2, 4, 5)
    torch.testing.assert_close(module(Tokens(values, torch.ones(2, 4, dtype=torch.bool))), values.mean(1))


def test_one_token_is_returned() -> None:
    values = torch.randn(2, 1, 5)
    torch.testing.assert_close(SelfAttention(5)(Tokens(values, torch.ones(2, 1, dtype=torch.bool))), values[:, 0])


def test_zero_hops_are_refused() -> None:
    with pytest.raises(ConfigError, match="'hops'"):
        SelfAttention(5, hops=0)
