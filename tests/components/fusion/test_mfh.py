from __future__ import annotations

import math

import torch

from vsebench.components.fusion.mfb import MFB
from vsebench.components.fusion.mfh import MFH


def pooled(products: list[float], hidden: int, factor: int) -> torch.Tensor:
    roots = []
    for j in range(hidden):
        total = sum(products[j * factor + i] for i in range(factor))
        roots.append(math.copysign(math.sqrt(abs(total)), total))
    return torch.tensor(roots) / math.sqrt(sum(r * r for r in roots))


@torch.no_grad()
def test_equals_a_loop_that_carries_the_products_on_before_they_are_pooled() -> None:
    torch.manual_seed(0)
    module = MFH({"image": 4, "text": 3}, 5, hidden=6, factor=2, stages=3).eval()
    vectors = {"image": torch.randn(2, 4), "text": torch.randn(2, 3)}
    result = module(vectors)
    for b in range(2):
        carried, parts = [1.0] * 12, []
        for stage in module.stages:
            for m, v in vectors.items():
                linear = stage.project[m]
                carried = [c * float(linear.weight[i] @ v[b] + linear.bias[i]) for i, c in enumerate(carried)]
            parts.append(pooled(carried, 6, 2))
        wanted = module.out.weight @ torch.cat(parts) + module.out.bias
        torch.testing.assert_close(result[b], wanted, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_one_stage_is_mfb() -> None:
    module = MFH({"image": 4, "text": 3}, 5, hidden=6, stages=1).eval()
    mfb = MFB({"image": 4, "text": 3}, 5, hidden=6).eval()
    mfb.stage.load_state_dict(module.stages[0].state_dict())
    mfb.out.load_state_dict(module.out.state_dict())
    vectors = {"image": torch.randn(2, 4), "text": torch.randn(2, 3)}
    assert torch.equal(module(vectors), mfb(vectors))


def test_a_product_dropped_in_a_stage_is_missing_in_the_next() -> None:
    torch.manual_seed(0)
    first, second = MFH({"image": 4, "text": 3}, 5, hidden=50, dropout=0.5).train().stages
    vectors = {"image": torch.randn(2, 4), "text": torch.randn(2, 3)}
    before = first(vectors)
    assert bool((second(vectors, before)[before == 0] == 0).all())
