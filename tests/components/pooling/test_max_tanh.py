from __future__ import annotations

import math

import torch

from vsebench.components.pooling.max_tanh import MaxTanh
from vsebench.core.types import Tokens


def tokens_of(shift: float = 0.0) -> Tokens:
    torch.manual_seed(0)
    values, mask = torch.randn(3, 4, 5) + shift, torch.rand(3, 4) < 0.7
    mask[:, 0] = True
    return Tokens(values, mask)


def test_equals_the_tanh_of_the_largest_real_value_of_each_feature() -> None:
    tokens = tokens_of()
    result = MaxTanh(5)(tokens)
    for b in range(3):
        for d in range(5):
            largest = max(float(tokens.values[b, n, d]) for n in range(4) if tokens.mask[b, n])
            assert abs(float(result[b, d]) - math.tanh(largest)) < 1e-6


def test_the_order_of_tanh_and_maximum_does_not_matter() -> None:
    tokens = tokens_of()
    squashed = tokens.values.tanh().masked_fill(~tokens.mask[:, :, None], -2).amax(1)
    torch.testing.assert_close(MaxTanh(5)(tokens), squashed)


def test_a_map_that_ends_in_a_relu_lies_between_0_and_1() -> None:
    tokens = tokens_of()
    result = MaxTanh(5)(Tokens(tokens.values.relu(), tokens.mask))
    assert bool(((result >= 0) & (result < 1)).all())
    assert bool((MaxTanh(5)(tokens_of(-3)) < 0).any())


def test_it_divides_by_the_deviation_of_training() -> None:
    module, tokens = MaxTanh(5, scale="std", momentum=0.5), tokens_of()
    with torch.no_grad():
        tokens.values.mul_(7.0)
    module.train()(tokens)
    variance = tokens.values[tokens.mask].var(0)
    torch.testing.assert_close(module.variance, variance)
    wanted = MaxTanh(5)(Tokens(tokens.values / variance.sqrt(), tokens.mask))
    torch.testing.assert_close(module.eval()(tokens), wanted)
    module(Tokens(tokens.values * 3, tokens.mask))
    torch.testing.assert_close(module.variance, variance)  # evaluation moves nothing
    module.train()(Tokens(tokens.values * 3, tokens.mask))
    torch.testing.assert_close(module.variance, (variance + 9 * variance) / 2)
    module(Tokens(tokens.values, torch.zeros_like(tokens.mask)))
    torch.testing.assert_close(module.variance, 5 * variance)
    padded = Tokens(tokens.values.masked_fill(~tokens.mask[:, :, None], 1e6), tokens.mask)
    torch.testing.assert_close(module.eval()(padded), module(tokens))


def test_a_feature_that_never_changes_gives_finite_values() -> None:
    module = MaxTanh(2, scale="std").train()
    constant = Tokens(torch.full((3, 2, 2), 0.5), torch.ones(3, 2, dtype=torch.bool))
    assert bool(module(constant).isfinite().all())
