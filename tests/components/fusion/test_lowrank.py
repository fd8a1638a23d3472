from __future__ import annotations

import torch

from vsebench.components.fusion.lowrank import LowRank


@torch.no_grad()
def test_equals_the_contraction_of_the_full_weight_tensor() -> None:
    torch.manual_seed(0)
    module = LowRank({"image": 3, "text": 2}, 4, rank=2)
    torch.nn.init.normal_(module.bias)
    image, text = torch.randn(5, 3), torch.randn(5, 2)
    result = module({"image": image, "text": text})
    factors = {}
    for m, linear in module.factors.items():
        factors[m] = torch.cat([linear.bias[:, None], linear.weight], 1).view(2, 4, -1)  # (R, D, 1 + D_m)
    for b in range(5):
        one_image, one_text = torch.cat([torch.ones(1), image[b]]), torch.cat([torch.ones(1), text[b]])
        for d in range(4):
            tensor = torch.zeros(4, 3)
            for r in range(2):
                tensor += module.weight[r] * torch.outer(factors["image"][r, d], factors["text"][r, d])
            wanted = sum(tensor[i, t] * one_image[i] * one_text[t] for i in range(4) for t in range(3))
            torch.testing.assert_close(result[b, d], wanted + module.bias[d], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_without_the_ones_it_is_linear_in_each_modality() -> None:
    module = LowRank({"image": 3, "text": 2}, 4)
    for factor in module.factors.values():
        torch.nn.init.zeros_(factor.bias)
    a, b, text = torch.randn(2, 3), torch.randn(2, 3), torch.randn(2, 2)
    both = module({"image": a + 2 * b, "text": text})
    torch.testing.assert_close(both, module({"image": a, "text": text}) + 2 * module({"image": b, "text": text}))
