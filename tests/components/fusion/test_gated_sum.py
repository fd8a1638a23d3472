from __future__ import annotations

import math

import pytest
import torch

from vsebench.components.fusion.gated_sum import GatedSum


@torch.no_grad()
def test_two_modalities_are_the_sigmoid_gate_of_the_source() -> None:
    torch.manual_seed(0)
    module = GatedSum({"image": 5, "text": 5}, 5)
    a, b = torch.randn(2, 5), torch.randn(2, 5)
    result = module({"image": a, "text": b})
    weight = module.gate["image"].weight - module.gate["text"].weight
    for i in range(2):
        for d in range(5):
            g = 1 / (1 + math.exp(-float(weight[d] @ torch.cat([a[i], b[i]]))))
            assert float(result[i, d]) == pytest.approx(float(g * a[i, d] + (1 - g) * b[i, d]), abs=1e-5)


@torch.no_grad()
def test_the_result_lies_between_the_vectors() -> None:
    module = GatedSum(dict.fromkeys(("image", "text", "audio"), 6), 6)
    vectors = {m: torch.randn(4, 6) for m in ("image", "text", "audio")}
    result, stacked = module(vectors), torch.stack(list(vectors.values()))
    assert bool((result >= stacked.amin(0) - 1e-6).all())
    assert bool((result <= stacked.amax(0) + 1e-6).all())


@torch.no_grad()
def test_zero_gates_average() -> None:
    module = GatedSum({"image": 5, "text": 5}, 5)
    for gate in module.gate.values():
        assert gate.bias.tolist() == [0.0] * 5
        torch.nn.init.zeros_(gate.weight)
    a, b = torch.randn(2, 5), torch.randn(2, 5)
    torch.testing.assert_close(module({"image": a, "text": b}), (a + b) / 2)


@torch.no_grad()
def test_a_vector_of_another_size_is_mapped_first() -> None:
    module = GatedSum({"image": 5, "text": 3}, 5)
    alike = GatedSum({"image": 5, "text": 5}, 5)
    alike.gate.load_state_dict(module.gate.state_dict())
    image, text = torch.randn(2, 5), torch.randn(2, 3)
    wanted = alike({"image": image, "text": module.project["text"](text)})
    torch.testing.assert_close(module({"image": image, "text": text}), wanted)
    assert not list(module.project["image"].parameters())
