from __future__ import annotations

import math

import pytest
import torch

from vsebench.components.fusion.mlb import MLB


@pytest.mark.parametrize(("activation", "scalar"), [("tanh", math.tanh), ("relu", lambda x: max(x, 0.0))])
@torch.no_grad()
def test_equals_a_loop_over_the_hidden_features(activation: str, scalar: object) -> None:
    torch.manual_seed(0)
    module = MLB({"image": 4, "text": 3}, 5, hidden=7, activation=activation)  # type: ignore[arg-type]
    vectors = {"image": torch.randn(2, 4), "text": torch.randn(2, 3)}
    result = module(vectors)
    for b in range(2):
        product = [1.0] * 7
        for m, v in vectors.items():
            weight, bias = module.project[m].weight, module.project[m].bias
            product = [p * scalar(float(weight[h] @ v[b] + bias[h])) for h, p in enumerate(product)]  # type: ignore[operator]
        torch.testing.assert_close(result[b], module.out.weight @ torch.tensor(product) + module.out.bias)
