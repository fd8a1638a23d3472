from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vsebench.components.attention.intra import Intra
from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens
from vsebench.ops.positions import sinusoid, sinusoid_grid


@pytest.fixture
def tokens() -> dict[str, Tokens]:
    """Four regions on a grid and up to three words, the second item with one word only."""
    torch.manual_seed(0)
    words = torch.tensor([[True, True, True], [True, False, False]])
    return {
        "image": Tokens(torch.randn(2, 4, 6), torch.ones(2, 4, dtype=torch.bool), grid=(2, 2)),
        "text": Tokens(torch.randn(2, 3, 5), words),
    }


def build(**options: object) -> Intra:
    torch.manual_seed(1)
    return Intra({"image": 6, "text": 5}, 8, heads=2, **options).eval()  # type: ignore[arg-type]


def slow(module: Intra, regions: Tensor, words: Tensor) -> tuple[list[Tensor], list[list[list[float]]]]:
    """One item without padding, position by position and head by head."""
    embedded = [
        module.project["image"](r) + p + module.kind["image"]
        for r, p in zip(regions, sinusoid_grid(2, 2, 8), strict=True)
    ]
    embedded += [
        module.project["text"](w) + p + module.kind["text"] for w, p in zip(words, sinusoid(len(words), 8), strict=True)
    ]
    weights_q, weights_k, weights_v = module.query_key_value.weight.chunk(3)
    bias_q, bias_k, bias_v = module.query_key_value.bias.chunk(3)
    normed = [module.norm(z) for z in embedded]
    result, attention = [], [[[0.0] * len(normed) for _ in normed] for _ in range(2)]
    for i, z in enumerate(embedded):
        heads = []
        for head in range(2):
            part = slice(4 * head, 4 * head + 4)
            query = weights_q[part] @ normed[i] + bias_q[part]
            logits = [float(query @ (weights_k[part] @ n + bias_k[part])) / math.sqrt(4) for n in normed]
            total = sum(math.exp(x) for x in logits)
            attention[head][i] = [math.exp(x) / total for x in logits]
            values = [weights_v[part] @ n + bias_v[part] for n in normed]
            heads.append(sum(a * v for a, v in zip(attention[head][i], values, strict=True)))
        attended = z + module.out(torch.cat(heads))
        result.append(attended + module.mlp(attended))
    return result, attention


@torch.no_grad()
def test_equals_a_loop_over_positions_and_heads(tokens: dict[str, Tokens]) -> None:
    module, weights = build(outputs="all"), {}
    result = module(tokens, weights)
    for item, count in ((0, 3), (1, 1)):
        wanted, attention = slow(module, tokens["image"].values[item], tokens["text"].values[item, :count])
        torch.testing.assert_close(result["image"].values[item], torch.stack(wanted[:4]), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(result["text"].values[item, :count], torch.stack(wanted[4:]), atol=1e-5, rtol=1e-5)
        real = weights["intra"][item, :, : 4 + count, : 4 + count]
        torch.testing.assert_close(real, torch.tensor(attention), atol=1e-6, rtol=1e-5)


def test_weights_are_a_distribution_over_real_positions(tokens: dict[str, Tokens]) -> None:
    weights: dict[str, Tensor] = {}
    build()(tokens, weights)
    torch.testing.assert_close(weights["intra"].sum(-1), torch.ones(2, 2, 7))
    assert bool((weights["intra"] >= 0).all())
    assert not weights["intra"][1, :, :, 5:].any()


def test_equal_logits_give_uniform_weights(tokens: dict[str, Tokens]) -> None:
    module, weights = build(), {}
    with torch.no_grad():
        module.query_key_value.weight[:16].zero_()
        module.query_key_value.bias[:16].zero_()
    module(tokens, weights)
    torch.testing.assert_close(weights["intra"][0], torch.full((2, 7, 7), 1 / 7))
    torch.testing.assert_close(weights["intra"][1, :, :, :5], torch.full((2, 7, 5), 1 / 5))


def test_image_only_output_leaves_the_words_as_they_came(tokens: dict[str, Tokens]) -> None:
    module = build()
    result = module(tokens)
    assert result["text"] is tokens["text"]
    assert module.dims_out == {"image": 8, "text": 5}
    torch.testing.assert_close(result["image"].values, build(outputs="all")(tokens)["image"].values)


def test_the_image_sees_the_words(tokens: dict[str, Tokens]) -> None:
    other = {**tokens, "text": Tokens(tokens["text"].values + 1, tokens["text"].mask)}
    assert not torch.allclose(build()(tokens)["image"].values, build()(other)["image"].values)


def test_one_modality_alone_is_self_attention_and_keeps_its_size(tokens: dict[str, Tokens]) -> None:
    module = Intra({"text": 5}, 8, heads=2)
    assert module.dims_out == {"text": 8}
    assert module({"text": tokens["text"]})["text"].values.shape == (2, 3, 8)


def test_a_changed_sequence_has_no_final_state() -> None:
    text = Tokens(torch.randn(2, 3, 5), torch.ones(2, 3, dtype=torch.bool), final=torch.randn(2, 5))
    assert Intra({"text": 5}, 8, heads=2)({"text": text})["text"].final is None


def test_gradients_agree_with_differences() -> None:
    torch.manual_seed(0)
    module = Intra({"image": 3, "text": 2}, 4, heads=2, dropout=0.0).double()
    mask = torch.tensor([[True, True], [True, False]])

    def run(regions: Tensor, words: Tensor) -> Tensor:
        given = {"image": Tokens(regions, mask), "text": Tokens(words, mask)}
        result: Tensor = module(given)["image"].values[mask]
        return result

    inputs = (torch.randn(2, 2, 3).double().requires_grad_(), torch.randn(2, 2, 2).double().requires_grad_())
    # The positions are float32 numbers, the same for every call, so they do not disturb the differences.
    assert torch.autograd.gradcheck(run, inputs)


def test_heads_must_divide_dim() -> None:
    with pytest.raises(ConfigError, match=r"attention 'intra': heads \(3\) must divide dim \(8\)\.") as caught:
        Intra({"image": 6}, 8, heads=3)
    assert caught.value.path == ("heads",)
