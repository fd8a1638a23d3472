from __future__ import annotations

import importlib
import math

import pytest
import torch
from torch import Tensor

from vsebench.components.attention.self_memory import SelfMemory
from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens

SelfAttention = importlib.import_module("vsebench.components.attention.self").SelfAttention


def build(**options: object) -> SelfMemory:
    torch.manual_seed(1)
    options = {"heads": 2, "prototypes": 3, **options}
    return SelfMemory({"image": 6, "text": 5}, 8, **options).eval()  # type: ignore[arg-type]


@torch.no_grad()
def test_equals_self_attention_then_a_loop_over_the_memory(tokens: dict[str, Tokens]) -> None:
    module, weights = build(combine="add", positions=True), {}
    before = SelfAttention({"image": 6, "text": 5}, 8, heads=2, positions=True).eval()
    before.stacks.load_state_dict(module.stacks.state_dict())
    hidden, result = before(tokens), module(tokens, weights)
    for m in ("image", "text"):
        memory = module.memory[m]
        for b in range(2):
            for i, query in enumerate(hidden[m].values[b, tokens[m].mask[b]]):
                logits = [math.exp(float(query @ p) / math.sqrt(8)) for p in memory]
                attention = [x / sum(logits) for x in logits]
                wanted = query + sum(a * p for a, p in zip(attention, memory, strict=True))
                torch.testing.assert_close(result[m].values[b, i], wanted, atol=1e-5, rtol=1e-5)
                selected = weights[f"memory/{m}"][b, 0, i]
                torch.testing.assert_close(selected, torch.tensor(attention), atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("combine", ["concat", "gated"])
def test_other_ways_to_combine(tokens: dict[str, Tokens], combine: str) -> None:
    module = build(combine=combine, project=True)
    hidden, _ = module.stacks["text"](tokens["text"])
    mask = torch.ones(2, 3, dtype=torch.bool)
    attended, _ = module.attention["text"](hidden.values, module.memory["text"].expand(2, -1, -1), mask)
    mixed = module.combine["text"].linear(torch.cat([hidden.values, attended], -1))
    gate = mixed.sigmoid()
    wanted = mixed if combine == "concat" else gate * hidden.values + (1 - gate) * attended
    real = tokens["text"].mask
    torch.testing.assert_close(module(tokens)["text"].values[real], wanted[real], atol=1e-5, rtol=1e-5)


def test_a_modality_is_the_same_whatever_its_partner_is(tokens: dict[str, Tokens]) -> None:
    module = build()
    other = {**tokens, "text": Tokens(torch.randn(2, 3, 5), tokens["text"].mask)}
    assert torch.equal(module(tokens)["image"].values, module(other)["image"].values)


def test_memories_are_each_modalitys_own() -> None:
    module = build(prototypes=7)
    assert {m: tuple(p.shape) for m, p in module.memory.items()} == {"image": (7, 8), "text": (7, 8)}
    assert not torch.equal(module.memory["image"], module.memory["text"])
    assert set(SelfMemory({"text": 5}, 8).memory) == {"text"}


def test_gradients_agree_with_differences() -> None:
    torch.manual_seed(0)
    module = SelfMemory({"text": 2}, 4, heads=2, dropout=0.0, prototypes=2).double()
    mask = torch.tensor([[True, True], [True, False]])

    def run(words: Tensor, memory: Tensor) -> Tensor:
        result: Tensor = module({"text": Tokens(words, mask)})["text"].values[mask]
        return result

    inputs = (torch.randn(2, 2, 2).double().requires_grad_(), module.memory["text"])
    assert torch.autograd.gradcheck(run, inputs)


def test_heads_must_divide_dim() -> None:
    with pytest.raises(ConfigError, match=r"attention 'self_memory': heads \(3\) must divide dim \(8\)\.") as caught:
        build(heads=3)
    assert caught.value.path == ("heads",)


def test_a_memory_of_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="option 'prototypes' of attention 'self_memory'"):
        build(prototypes=1)
