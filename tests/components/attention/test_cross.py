from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from attending import assert_audio_passes_through, assert_gradients_agree
from torch import Tensor, nn

from vsebench.components.attention.cross import Cross
from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens

WAYS = (("text", "image"), ("image", "text"))


def build(**options: object) -> Cross:
    torch.manual_seed(1)
    return Cross({"image": 6, "text": 5}, 8, **options).eval()  # type: ignore[arg-type]


def hidden(module: Cross, tokens: dict[str, Tokens], modality: str, item: int) -> list[Tensor]:
    current = tokens[modality]
    return [module.project[modality](x) for x in current.values[item, current.mask[item]]]


@pytest.mark.parametrize("residual", [False, True])
@torch.no_grad()
def test_equals_a_loop_over_queries_and_keys(tokens: dict[str, Tokens], residual: bool) -> None:
    module, weights = build(residual=residual), {}
    result = module(tokens, weights)
    for current, other in WAYS:
        for b in range(2):
            queries, keys = hidden(module, tokens, current, b), hidden(module, tokens, other, b)
            for i, query in enumerate(queries):
                logits = [math.exp(float(query @ k) / math.sqrt(8)) for k in keys]
                attention = [x / sum(logits) for x in logits]
                wanted = sum(a * k for a, k in zip(attention, keys, strict=True)) + (query if residual else 0)
                torch.testing.assert_close(result[current].values[b, i], wanted, atol=1e-5, rtol=1e-5)
                selected = weights[f"cross/{current}_to_{other}"][b, 0, i, : len(keys)]
                torch.testing.assert_close(selected, torch.tensor(attention), atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_heads_without_projections_are_slices_of_the_features(tokens: dict[str, Tokens]) -> None:
    module = build(heads=4)
    result = module(tokens)
    for current, other in WAYS:
        query, key = (module.project[m](tokens[m].values) for m in (current, other))
        mask = tokens[other].mask[:, None, :]
        parts = [
            F.scaled_dot_product_attention(q, k, k, mask)
            for q, k in zip(query.split(2, -1), key.split(2, -1), strict=True)
        ]
        real = tokens[current].mask
        torch.testing.assert_close(result[current].values[real], torch.cat(parts, -1)[real], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_projected_it_is_torchs_multi_head_attention(tokens: dict[str, Tokens]) -> None:
    module, weights = build(project=True, heads=2), {}
    result = module(tokens, weights)
    for current, other in WAYS:
        ours = module.attention[current]
        theirs = nn.MultiheadAttention(8, 2, batch_first=True).eval()
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, torch.zeros(8), ours.value.bias]))
        theirs.out_proj.load_state_dict(ours.out.state_dict())
        query, key = (module.project[m](tokens[m].values) for m in (current, other))
        wanted, attention = theirs(query, key, key, ~tokens[other].mask, average_attn_weights=False)
        real = tokens[current].mask
        torch.testing.assert_close(result[current].values[real], wanted[real], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(weights[f"cross/{current}_to_{other}"][:, :, 0], attention[:, :, 0])


def test_nothing_to_attend_to_gives_zeros_or_the_token_itself(tokens: dict[str, Tokens]) -> None:
    mask = tokens["text"].mask.clone()
    mask[1] = False
    given = {**tokens, "text": Tokens(tokens["text"].values, mask)}
    assert not build()(given)["image"].values[1].any()
    module = build(residual=True)
    wanted = module.project["image"](tokens["image"].values[1, :2])
    torch.testing.assert_close(module(given)["image"].values[1, :2], wanted)


def test_both_ways_read_what_came_in(tokens: dict[str, Tokens]) -> None:
    result = build()(tokens)
    swapped = Cross({"image": 5, "text": 6}, 8).eval()
    ours = build()
    for a, b in WAYS:
        swapped.project[a].load_state_dict(ours.project[b].state_dict())
    other = swapped({"image": tokens["text"], "text": tokens["image"]})
    torch.testing.assert_close(other["text"].values, result["image"].values)
    torch.testing.assert_close(other["image"].values, result["text"].values)


def test_other_modalities_pass_through(tokens: dict[str, Tokens]) -> None:
    assert_audio_passes_through(Cross({"image": 6, "text": 5, "audio": 3}, 8), tokens)


@pytest.mark.parametrize("project", [False, True])
def test_gradients_agree_with_differences(project: bool) -> None:
    torch.manual_seed(0)
    assert_gradients_agree(Cross({"image": 3, "text": 2}, 4, project=project, heads=2))


def test_heads_must_divide_dim() -> None:
    with pytest.raises(ConfigError, match=r"attention 'cross': heads \(3\) must divide dim \(8\)\.") as caught:
        build(heads=3)
    assert caught.value.path == ("heads",)
