from __future__ import annotations

import torch

from vsebench.components.fusion.max import Max


@torch.no_grad()
def test_equals_a_loop_over_modalities() -> None:
    torch.manual_seed(0)
    module = Max({"image": 4, "text": 3, "audio": 2}, 5)
    vectors = {"image": torch.randn(2, 4), "text": torch.randn(2, 3), "audio": torch.randn(2, 2)}
    result = module(vectors)
    for b in range(2):
        for d in range(5):
            parts = [float(module.project[m].weight[d] @ v[b] + module.project[m].bias[d]) for m, v in vectors.items()]
            assert abs(float(result[b, d]) - max(parts)) < 1e-6
    assert (result < 0).any()  # no ReLU


@torch.no_grad()
def test_modalities_with_shared_weights_may_be_exchanged() -> None:
    module = Max({"image": 4, "text": 4}, 5)
    module.project["text"].load_state_dict(module.project["image"].state_dict())
    a, b = torch.randn(2, 4), torch.randn(2, 4)
    assert torch.equal(module({"image": a, "text": b}), module({"image": b, "text": a}))
