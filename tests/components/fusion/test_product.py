from __future__ import annotations

import torch

from vsebench.components.fusion.product import Product


@torch.no_grad()
def test_equals_a_loop_over_modalities() -> None:
    torch.manual_seed(0)
    module = Product({"image": 4, "text": 3, "audio": 2}, 5)
    vectors = {"image": torch.randn(2, 4), "text": torch.randn(2, 3), "audio": torch.randn(2, 2)}
    result = module(vectors)
    for b in range(2):
        wanted = torch.ones(5)
        for m, v in vectors.items():
            wanted *= module.project[m].weight @ v[b] + module.project[m].bias
        torch.testing.assert_close(result[b], wanted)


@torch.no_grad()
def test_without_biases_it_is_linear_in_each_modality() -> None:
    module = Product({"image": 4, "text": 3}, 5)
    for project in module.project.values():
        torch.nn.init.zeros_(project.bias)
    a, b, text = torch.randn(2, 4), torch.randn(2, 4), torch.randn(2, 3)
    both = module({"image": 2 * a + 3 * b, "text": text})
    torch.testing.assert_close(both, 2 * module({"image": a, "text": text}) + 3 * module({"image": b, "text": text}))
