from __future__ import annotations

import math

import pytest
import torch
from attending import assert_gradients_agree
from torch import nn

from vsebench.components.attention.additive import Additive
from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens


def build(**options: object) -> Additive:
    torch.manual_seed(1)
    return Additive({"image": 6, "text": 5}, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("hidden", [None, 7])
@torch.no_grad()
def test_equals_a_loop_over_queries_and_keys(tokens: dict[str, Tokens], hidden: int | None) -> None:
    module, weights = build(hidden=hidden), {}
    result = module(tokens, weights)
    for modality, other in (("text", "image"), ("image", "text")):
        way = module.directions[modality]
        for b in range(2):
            context = tokens[other].values[b, tokens[other].mask[b]]
            for i, query in enumerate(tokens[modality].values[b, tokens[modality].mask[b]]):
                energies = [
                    float(way.score.weight[0] @ torch.tanh(way.query.weight @ query + way.context.weight @ c))
                    for c in context
                ]
                attention = [math.exp(e) / sum(math.exp(x) for x in energies) for e in energies]
                wanted = sum(a * c for a, c in zip(attention, context, strict=True))
                torch.testing.assert_close(result[modality].values[b, i], wanted, atol=1e-5, rtol=1e-5)
                selected = weights[f"additive/{modality}_to_{other}"][b, 0, i]
                torch.testing.assert_close(selected[: len(context)], torch.tensor(attention), atol=1e-6, rtol=1e-5)
                assert not selected[len(context) :].any()


def test_a_silent_network_gives_the_mean(tokens: dict[str, Tokens]) -> None:
    module = build()
    nn.init.zeros_(module.directions["text"].score.weight)
    result = module(tokens)["text"].values
    torch.testing.assert_close(result[0], tokens["image"].values[0].mean(0).expand(3, 6))
    torch.testing.assert_close(result[1, 0], tokens["image"].values[1, :2].mean(0))


def test_the_hidden_layer_has_the_contexts_size_unless_told_otherwise() -> None:
    assert build().directions["text"].query.weight.shape == (6, 5)
    assert build().directions["image"].context.weight.shape == (5, 5)
    assert build(hidden=3).directions["text"].query.weight.shape == (3, 5)


def test_the_context_keeps_its_tokens(tokens: dict[str, Tokens]) -> None:
    module = Additive({"image": 6, "text": 5, "audio": 3}, queries="image")
    audio = Tokens(torch.randn(2, 2, 3), torch.ones(2, 2, dtype=torch.bool))
    result = module({**tokens, "audio": audio})
    assert result["text"] is tokens["text"]
    assert result["audio"] is audio
    assert module.dims_out == {"image": 5, "text": 5, "audio": 3}
    assert result["image"].values.shape == (2, 4, 5)


def test_gradients_agree_with_differences() -> None:
    torch.manual_seed(0)
    assert_gradients_agree(Additive({"image": 3, "text": 2}), everywhere=True)


def test_a_hidden_size_of_0_is_refused() -> None:
    with pytest.raises(ConfigError, match="option 'hidden' of attention 'additive'"):
        build(hidden=0)
