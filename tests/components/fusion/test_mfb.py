from __future__ import annotations

import math

import pytest
import torch

from vsebench.components.fusion.mfb import MFB
from vsebench.components.fusion.mlb import MLB


def pooled(products: list[float], hidden: int, factor: int) -> torch.Tensor:
    """Sum neighbours, signed square root, unit length: entry by entry."""
    roots = []
    for j in range(hidden):
        total = sum(products[j * factor + i] for i in range(factor))
        roots.append(math.copysign(math.sqrt(abs(total)), total))
    return torch.tensor(roots) / math.sqrt(sum(r * r for r in roots))


@pytest.mark.parametrize("modalities", [("image", "text"), ("image", "text", "audio")])
@torch.no_grad()
def test_equals_a_loop_with_the_factor_fastest(modalities: tuple[str, ...]) -> None:
    torch.manual_seed(0)
    sizes = {"image": 4, "text": 3, "audio": 2}
    dims = {m: sizes[m] for m in modalities}
    module = MFB(dims, 5, hidden=6, factor=3).eval()
    vectors = {m: torch.randn(2, d) for m, d in dims.items()}
    result = module(vectors)
    for b in range(2):
        products = [1.0] * 18
        for m, v in vectors.items():
            linear = module.stage.project[m]
            products = [p * float(linear.weight[i] @ v[b] + linear.bias[i]) for i, p in enumerate(products)]
        wanted = module.out.weight @ pooled(products, 6, 3) + module.out.bias
        torch.testing.assert_close(result[b], wanted, atol=1e-4, rtol=1e-4)


def test_the_factors_of_one_feature_stand_side_by_side() -> None:
    stage = MFB({"image": 4, "text": 3}, 5, hidden=2, factor=3).stage
    expanded = torch.tensor([[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]])  # all of the first feature, none of the second
    torch.testing.assert_close(stage.pool(expanded), torch.tensor([[1.0, 0.0]]))


@torch.no_grad()
def test_one_factor_without_its_normalisation_is_mlb_without_activation() -> None:
    module = MFB({"image": 4, "text": 3}, 5, hidden=6, factor=1).eval()
    mlb = MLB({"image": 4, "text": 3}, 5, hidden=6)
    mlb.activation = lambda x: x
    mlb.project.load_state_dict(module.stage.project.state_dict())
    mlb.out.load_state_dict(module.out.state_dict())
    vectors = {"image": torch.randn(2, 4), "text": torch.randn(2, 3)}
    torch.testing.assert_close(module.out(module.stage(vectors)), mlb(vectors))


@torch.no_grad()
def test_the_products_are_linear_in_each_modality() -> None:
    stage = MFB({"image": 4, "text": 3}, 5, hidden=6).eval().stage
    for project in stage.project.values():
        torch.nn.init.zeros_(project.bias)
    a, b, text = torch.randn(2, 4), torch.randn(2, 4), torch.randn(2, 3)
    both = stage({"image": a + 2 * b, "text": text})
    torch.testing.assert_close(both, stage({"image": a, "text": text}) + 2 * stage({"image": b, "text": text}))


def test_dropout_acts_on_the_products_before_the_sum() -> None:
    torch.manual_seed(0)
    stage = MFB({"image": 4, "text": 3}, 5, hidden=50, factor=5, dropout=0.5).train().stage
    vectors = {"image": torch.randn(8, 4), "text": torch.randn(8, 3)}
    dropped = stage(vectors)
    assert dropped.shape == (8, 250)
    assert 0.4 < float((dropped == 0).float().mean()) < 0.6


def test_zero_vectors_train() -> None:
    module = MFB({"image": 4, "text": 3}, 5, hidden=6)
    for project in module.stage.project.values():
        torch.nn.init.zeros_(project.bias)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    output = module({"image": torch.zeros(2, 4), "text": torch.zeros(2, 3)})
    output.sum().backward()
    optimizer.step()
    after = module({"image": torch.ones(2, 4), "text": torch.ones(2, 3)})
    assert all(bool(p.isfinite().all()) for p in module.parameters())
    assert bool(after.isfinite().all())
