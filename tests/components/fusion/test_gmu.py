from __future__ import annotations

import math

import pytest
import torch

from vsebench.components.fusion.gated import Gated
from vsebench.components.fusion.gmu import GMU


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize("modalities", [("image", "text"), ("image", "text", "audio")])
@torch.no_grad()
def test_equals_a_loop_over_features(modalities: tuple[str, ...]) -> None:
    torch.manual_seed(0)
    sizes = {"image": 4, "text": 3, "audio": 2}
    dims = {m: sizes[m] for m in modalities}
    module, vectors = GMU(dims, 5), {m: torch.randn(2, d) for m, d in dims.items()}
    result = module(vectors)
    for b in range(2):
        joined = torch.cat([v[b] for v in vectors.values()])
        for d in range(5):
            h = {m: math.tanh(float(module.content[m].weight[d] @ v[b])) for m, v in vectors.items()}
            z = {m: sigmoid(float(gate.weight[d] @ joined)) for m, gate in module.gate.items()}
            if len(dims) == 2:
                wanted = z["image"] * h["image"] + (1 - z["image"]) * h["text"]
            else:
                wanted = sum(z[m] * h[m] for m in dims)
            assert float(result[b, d]) == pytest.approx(wanted, abs=1e-5)


def test_two_modalities_have_one_gate_and_no_biases() -> None:
    module = GMU({"image": 4, "text": 3}, 5)
    assert {n: tuple(p.shape) for n, p in module.named_parameters()} == {
        "content.image.weight": (5, 4),
        "content.text.weight": (5, 3),
        "gate.image.weight": (5, 7),
    }


@torch.no_grad()
def test_of_two_modalities_the_softmax_gate_is_the_same_function() -> None:
    unit, softmax = GMU({"image": 4, "text": 3}, 5), Gated({"image": 4, "text": 3}, 5)
    softmax.content.load_state_dict(unit.content.state_dict())
    softmax.gate["image"].load_state_dict(unit.gate["image"].state_dict())
    torch.nn.init.zeros_(softmax.gate["text"].weight)
    vectors = {"image": torch.randn(3, 4), "text": torch.randn(3, 3)}
    torch.testing.assert_close(unit(vectors), softmax(vectors))


@torch.no_grad()
def test_gates_of_three_modalities_are_independent() -> None:
    module = GMU({"image": 1, "text": 1, "audio": 1}, 1)
    for gate in module.gate.values():
        gate.weight.fill_(50.0)  # all open
    for content in module.content.values():
        content.weight.fill_(50.0)
    assert float(module({m: torch.ones(1, 1) for m in ("image", "text", "audio")})) == pytest.approx(3.0)
