from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from vsebench.components.attention.scaled_dot import ScaledDot
from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens


@pytest.fixture
def tokens() -> dict[str, Tokens]:
    torch.manual_seed(0)
    return {
        "image": Tokens(torch.randn(2, 4, 5), torch.tensor([[True] * 4, [True, True, False, False]])),
        "text": Tokens(torch.randn(2, 3, 5), torch.tensor([[True] * 3, [True, False, False]])),
    }


def test_equals_a_loop_without_any_parameter(tokens: dict[str, Tokens]) -> None:
    module, weights = ScaledDot({"image": 5, "text": 5}, 8), {}
    assert not list(module.parameters())
    result = module(tokens, weights)
    for modality, other in (("text", "image"), ("image", "text")):
        for b in range(2):
            keys = tokens[other].values[b, tokens[other].mask[b]]
            for i, query in enumerate(tokens[modality].values[b, tokens[modality].mask[b]]):
                logits = [math.exp(float(query @ k) / math.sqrt(5)) for k in keys]
                wanted = sum(x / sum(logits) * k for x, k in zip(logits, keys, strict=True))
                torch.testing.assert_close(result[modality].values[b, i], wanted)
                assert float(weights[f"scaled_dot/{modality}_to_{other}"][b, 0, i].sum()) == pytest.approx(1)


def test_equals_torchs_scaled_dot_product_attention(tokens: dict[str, Tokens]) -> None:
    result = ScaledDot({"image": 5, "text": 5}, 8)(tokens)["text"].values
    image, text = tokens["image"], tokens["text"]
    wanted = F.scaled_dot_product_attention(text.values, image.values, image.values, image.mask[:, None, :])
    torch.testing.assert_close(result[text.mask], wanted[text.mask])


@pytest.mark.parametrize(("queries", "context"), [("text", "image"), ("image", "text")])
def test_the_context_keeps_its_tokens(tokens: dict[str, Tokens], queries: str, context: str) -> None:
    weights: dict[str, torch.Tensor] = {}
    module = ScaledDot({"image": 5, "text": 5}, 8, queries=queries)  # type: ignore[arg-type]
    both = ScaledDot({"image": 5, "text": 5}, 8)(tokens)
    result = module(tokens, weights)
    assert result[context] is tokens[context]
    assert torch.equal(result[queries].values, both[queries].values)
    assert set(weights) == {f"scaled_dot/{queries}_to_{context}"}


@torch.no_grad()
def test_sizes_that_differ_are_mapped_to_the_joint_dimension(tokens: dict[str, Tokens]) -> None:
    module = ScaledDot({"image": 7, "text": 5, "audio": 2}, 8, queries="text")
    assert module.dims_out == {"image": 7, "text": 8, "audio": 2}
    image = Tokens(torch.randn(2, 4, 7), tokens["image"].mask)
    result = module({**tokens, "image": image, "audio": image})
    mapped = {m: module.project[m](t.values) for m, t in (("image", image), ("text", tokens["text"]))}
    mask = image.mask[:, None, :]
    wanted = F.scaled_dot_product_attention(mapped["text"], mapped["image"], mapped["image"], mask)
    torch.testing.assert_close(result["text"].values[0], wanted[0], atol=1e-5, rtol=1e-5)
    assert result["image"] is image
    assert result["audio"] is image


def test_unknown_queries_are_refused() -> None:
    with pytest.raises(ConfigError, match="option 'queries' of attention 'scaled_dot'"):
        ScaledDot({"image": 5, "text": 5}, 8, queries="audio")  # type: ignore[arg-type]
