from __future__ import annotations

import importlib
import math

import pytest
import torch
from attending import assert_audio_passes_through, assert_gradients_agree
from torch import Tensor, nn

from vsebench.components.attention.cross import Cross
from vsebench.components.attention.self_cross import SelfCross
from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens

SelfAttention = importlib.import_module("vsebench.components.attention.self").SelfAttention
WAYS = (("text", "image"), ("image", "text"))


def build(**options: object) -> SelfCross:
    torch.manual_seed(1)
    return SelfCross({"image": 6, "text": 5}, 8, **{"heads": 2, **options}).eval()  # type: ignore[arg-type]


def combined(part: nn.Module, current: Tensor, attended: Tensor) -> Tensor:
    if part.how == "add":
        return current + attended
    mixed = part.linear.weight @ torch.cat([current, attended]) + part.linear.bias
    if part.how == "concat":
        return mixed
    gate = 1 / (1 + (-mixed).exp())
    return gate * current + (1 - gate) * attended


@pytest.mark.parametrize("combine", ["concat", "add", "gated"])
@pytest.mark.parametrize("options", [{}, {"block": "bare", "layers": 2, "positions": True}])
@torch.no_grad()
def test_equals_self_attention_then_a_loop(tokens: dict[str, Tokens], combine: str, options: dict) -> None:
    module, weights = build(combine=combine, **options), {}
    before = SelfAttention({"image": 6, "text": 5}, 8, heads=2, **options).eval()
    before.stacks.load_state_dict(module.stacks.state_dict())
    hidden, result = before(tokens), module(tokens, weights)
    for current, other in WAYS:
        for b in range(2):
            keys = hidden[other].values[b, tokens[other].mask[b]]
            for i, query in enumerate(hidden[current].values[b, tokens[current].mask[b]]):
                logits = [math.exp(float(query @ k) / math.sqrt(8)) for k in keys]
                attention = [x / sum(logits) for x in logits]
                attended = sum(a * k for a, k in zip(attention, keys, strict=True))
                wanted = combined(module.combine[current], query, attended)
                torch.testing.assert_close(result[current].values[b, i], wanted, atol=1e-5, rtol=1e-5)
                selected = weights[f"cross/{current}_to_{other}"][b, 0, i, : len(keys)]
                torch.testing.assert_close(selected, torch.tensor(attention), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_projected_it_is_self_then_projected_cross(tokens: dict[str, Tokens]) -> None:
    module = build(project=True, combine="add")
    before = SelfAttention({"image": 6, "text": 5}, 8, heads=2).eval()
    before.stacks.load_state_dict(module.stacks.state_dict())
    cross = Cross({"image": 8, "text": 8}, 8, project=True, heads=2, residual=True).eval()
    cross.attention.load_state_dict(module.attention.state_dict())
    for current in ("image", "text"):
        nn.init.eye_(cross.project[current].weight)
        nn.init.zeros_(cross.project[current].bias)
    wanted, result = cross(before(tokens)), module(tokens)
    for m in ("image", "text"):
        real = tokens[m].mask
        torch.testing.assert_close(result[m].values[real], wanted[m].values[real], atol=1e-5, rtol=1e-5)


def test_all_weights_are_named(tokens: dict[str, Tokens]) -> None:
    weights: dict[str, Tensor] = {}
    build(layers=2)(tokens, weights)
    current = {f"self/{m}/{layer}" for m in ("image", "text") for layer in (0, 1)}
    assert set(weights) == current | {"cross/text_to_image", "cross/image_to_text"}
    torch.testing.assert_close(weights["cross/image_to_text"].sum(-1), torch.ones(2, 1, 4))


def test_gates_start_without_a_bias() -> None:
    for m in ("image", "text"):
        assert not build(combine="gated").combine[m].linear.bias.any()


def test_other_modalities_pass_through(tokens: dict[str, Tokens]) -> None:
    assert_audio_passes_through(SelfCross({"image": 6, "text": 5, "audio": 3}, 8), tokens)


@pytest.mark.parametrize("combine", ["concat", "add", "gated"])
def test_gradients_agree_with_differences(combine: str) -> None:
    torch.manual_seed(0)
    assert_gradients_agree(SelfCross({"image": 3, "text": 2}, 4, heads=2, dropout=0.0, combine=combine))  # type: ignore[arg-type]


def test_heads_must_divide_dim() -> None:
    with pytest.raises(ConfigError, match=r"attention 'self_cross': heads \(3\) must divide dim \(8\)\.") as caught:
        build(heads=3)
    assert caught.value.path == ("heads",)
