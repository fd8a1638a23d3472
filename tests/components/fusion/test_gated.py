from __future__ import annotations

import math

import pytest
import torch

from vsebench.components.fusion.gated import Gated
from vsebench.core.errors import ConfigError


@torch.no_grad()
def test_equals_a_loop_over_features() -> None:
    torch.manual_seed(0)
    module = Gated({"image": 4, "text": 3, "audio": 2}, 5, temperature=0.7)
    vectors = {"image": torch.randn(2, 4), "text": torch.randn(2, 3), "audio": torch.randn(2, 2)}
    result = module(vectors)
    for b in range(2):
        joined = torch.cat([v[b] for v in vectors.values()])
        for d in range(5):
            gates = {m: math.exp(float(module.gate[m].weight[d] @ joined) / 0.7) for m in vectors}
            parts = [gates[m] * math.tanh(float(module.content[m].weight[d] @ v[b])) for m, v in vectors.items()]
            assert float(result[b, d]) == pytest.approx(sum(parts) / sum(gates.values()), abs=1e-5)


@torch.no_grad()
def test_two_modalities_are_the_published_sigmoid_gate() -> None:
    module = Gated({"image": 4, "text": 3}, 5)
    image, text = torch.randn(2, 4), torch.randn(2, 3)
    joined = torch.cat([image, text], -1)
    z = torch.sigmoid(joined @ (module.gate["image"].weight - module.gate["text"].weight).T)
    image_part = torch.tanh(image @ module.content["image"].weight.T)
    text_part = torch.tanh(text @ module.content["text"].weight.T)
    torch.testing.assert_close(module({"image": image, "text": text}), z * image_part + (1 - z) * text_part)


@torch.no_grad()
def test_a_shut_gate_leaves_the_other_modality_only() -> None:
    module = Gated({"image": 4, "text": 3}, 5, temperature=1e-4)
    torch.nn.init.ones_(module.gate["text"].weight)
    torch.nn.init.zeros_(module.gate["image"].weight)
    image, text = torch.rand(2, 4), torch.rand(2, 3)  # positive, so the text's logit is the larger one
    torch.testing.assert_close(module({"image": image, "text": text}), module.content["text"](text).tanh())


@torch.no_grad()
def test_equal_gates_average() -> None:
    module = Gated({"image": 4, "text": 3}, 5)
    for gate in module.gate.values():
        torch.nn.init.zeros_(gate.weight)
    image, text = torch.randn(2, 4), torch.randn(2, 3)
    wanted = (module.content["image"](image).tanh() + module.content["text"](text).tanh()) / 2
    torch.testing.assert_close(module({"image": image, "text": text}), wanted)


def test_temperature_must_be_positive() -> None:
    message = "option 'temperature' of fusion 'gated': must be greater than 0. Got 0.0."
    with pytest.raises(ConfigError) as caught:
        Gated({"image": 4, "text": 3}, 5, temperature=0.0)
    assert str(caught.value) == message
    assert caught.value.path == ("temperature",)
