from __future__ import annotations

import importlib
import math

import pytest
import torch
from torch import Tensor, nn

from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens
from vsebench.ops.positions import sinusoid, sinusoid_grid

SelfAttention = importlib.import_module("vsebench.components.attention.self").SelfAttention


@pytest.fixture
def tokens() -> dict[str, Tokens]:
    torch.manual_seed(0)
    words = torch.tensor([[True, True, True], [True, False, False]])
    return {
        "image": Tokens(torch.randn(2, 4, 6), torch.ones(2, 4, dtype=torch.bool), grid=(2, 2)),
        "text": Tokens(torch.randn(2, 3, 5), words, final=torch.randn(2, 5)),
    }


def build(**options: object) -> nn.Module:
    torch.manual_seed(1)
    return SelfAttention({"image": 6, "text": 5}, 8, **{"heads": 2, **options}).eval()


def slow(block: nn.Module, values: list[Tensor], heads: int) -> tuple[list[Tensor], list]:
    """Multi-head self-attention of one set without padding, position by position and head by head."""
    layer, size = block.attention, len(values[0]) // heads
    queries, keys, contents = ([f(x) for x in values] for f in (layer.query, layer.key, layer.value))
    result, weights = [], []
    for query in queries:
        parts, row = [], []
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            logits = [math.exp(float(query[part] @ k[part]) / math.sqrt(size)) for k in keys]
            row.append([x / sum(logits) for x in logits])
            parts.append(sum(w * v[part] for w, v in zip(row[-1], contents, strict=True)))
        result.append(layer.out(torch.cat(parts)))
        weights.append(row)
    return result, weights


@pytest.mark.parametrize("block", ["bare", "transformer"])
@pytest.mark.parametrize("positions", [False, True])
@torch.no_grad()
def test_equals_a_loop_over_layers_heads_and_positions(tokens: dict[str, Tokens], block: str, positions: bool) -> None:
    module, weights = build(block=block, positions=positions, layers=2), {}
    result = module(tokens, weights)
    places = {"image": sinusoid_grid(2, 2, 8), "text": sinusoid(3, 8)}
    for modality in ("image", "text"):
        stack = module.stacks[modality]
        for b in range(2):
            real = tokens[modality].mask[b]
            values = [stack.project(x) for x in tokens[modality].values[b, real]]
            if positions:
                values = [x + p for x, p in zip(values, places[modality])]  # noqa: B905  (padding has positions too)
            for layer, each in enumerate(stack.blocks):
                if block == "bare":
                    values, attention = slow(each, values, 2)
                else:
                    attended, attention = slow(each, [each.norm_attention(x) for x in values], 2)
                    values = [x + a for x, a in zip(values, attended, strict=True)]
                    values = [x + each.mlp(each.norm_mlp(x)) for x in values]
                selected = weights[f"self/{modality}/{layer}"][b][:, : len(values), : len(values)]
                torch.testing.assert_close(selected, torch.tensor(attention).transpose(0, 1), atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(result[modality].values[b, real], torch.stack(values), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_transformer_block_is_torchs(tokens: dict[str, Tokens]) -> None:
    module = build()
    stack = module.stacks["text"]
    ours = stack.blocks[0]
    theirs = nn.TransformerEncoderLayer(8, 2, 32, activation="gelu", batch_first=True, norm_first=True).eval()
    attention = ours.attention
    theirs.self_attn.in_proj_weight.copy_(
        torch.cat([attention.query.weight, attention.key.weight, attention.value.weight])
    )
    theirs.self_attn.in_proj_bias.copy_(torch.cat([attention.query.bias, torch.zeros(8), attention.value.bias]))
    theirs.self_attn.out_proj.load_state_dict(attention.out.state_dict())
    theirs.norm1.load_state_dict(ours.norm_attention.state_dict())
    theirs.norm2.load_state_dict(ours.norm_mlp.state_dict())
    theirs.linear1.load_state_dict(ours.mlp[0].state_dict())
    theirs.linear2.load_state_dict(ours.mlp[2].state_dict())
    text = tokens["text"]
    wanted = theirs(stack.project(text.values), src_key_padding_mask=~text.mask)
    torch.testing.assert_close(module(tokens)["text"].values[text.mask], wanted[text.mask], atol=1e-5, rtol=1e-5)


def test_weights_are_a_distribution_over_real_positions(tokens: dict[str, Tokens]) -> None:
    weights: dict[str, Tensor] = {}
    build()(tokens, weights)
    assert set(weights) == {"self/image/0", "self/text/0"}
    torch.testing.assert_close(weights["self/text/0"].sum(-1), torch.ones(2, 2, 3))
    assert not weights["self/text/0"][1, :, :, 1:].any()


def test_equal_logits_give_uniform_weights(tokens: dict[str, Tokens]) -> None:
    module, weights = build(), {}
    nn.init.zeros_(module.stacks["text"].blocks[0].attention.key.weight)
    module(tokens, weights)
    torch.testing.assert_close(weights["self/text/0"][0], torch.full((2, 3, 3), 1 / 3))


def test_without_positions_the_order_of_the_words_does_not_matter(tokens: dict[str, Tokens]) -> None:
    text = Tokens(tokens["text"].values, torch.ones(2, 3, dtype=torch.bool))
    moved = Tokens(text.values.flip(1), text.mask)
    for positions in (False, True):
        module = build(positions=positions)
        same = module({**tokens, "text": text})["text"].values.flip(1)
        other = module({**tokens, "text": moved})["text"].values
        assert torch.allclose(same, other, atol=1e-6) is not positions


def test_a_changed_sequence_has_no_final_state_and_keeps_its_grid(tokens: dict[str, Tokens]) -> None:
    result = build()(tokens)
    assert result["text"].final is None
    assert result["image"].grid == (2, 2)


def test_each_modality_sees_itself_only(tokens: dict[str, Tokens]) -> None:
    other = {**tokens, "text": Tokens(tokens["text"].values + 1, tokens["text"].mask)}
    assert torch.equal(build()(tokens)["image"].values, build()(other)["image"].values)


@pytest.mark.parametrize("block", ["bare", "transformer"])
def test_gradients_agree_with_differences(block: str) -> None:
    torch.manual_seed(0)
    module = SelfAttention({"text": 3}, 4, heads=2, dropout=0.0, block=block).double()
    mask = torch.tensor([[True, True], [True, False]])
    values = torch.randn(2, 2, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: module({"text": Tokens(v, mask)})["text"].values[mask], (values,))


def test_heads_must_divide_dim() -> None:
    with pytest.raises(ConfigError, match=r"attention 'self': heads \(3\) must divide dim \(8\)\.") as caught:
        build(heads=3)
    assert caught.value.path == ("heads",)
