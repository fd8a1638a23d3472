from __future__ import annotations

import torch

from vsebench.components.fusion.sum import Sum


@torch.no_grad()
def test_equals_a_loop_over_modalities() -> None:
    torch.manual_seed(0)
    module, vectors = Sum({"image": 4, "text": 3, "audio": 2}, 5), {}
    for modality, dim in (("image", 4), ("text", 3), ("audio", 2)):
        vectors[modality] = torch.randn(2, dim)
    result = module(vectors)
    for b in range(2):
        wanted = torch.zeros(5)
        for m, v in vectors.items():
            wanted += module.project[m].weight @ v[b] + module.project[m].bias
        torch.testing.assert_close(result[b], wanted)


@torch.no_grad()
def test_modalities_with_shared_weights_may_be_exchanged() -> None:
    module = Sum({"image": 4, "text": 4}, 5)
    module.project["text"].load_state_dict(module.project["image"].state_dict())
    a, b = torch.randn(2, 4), torch.randn(2, 4)
    torch.testing.assert_close(module({"image": a, "text": b}), module({"image": b, "text": a}))
