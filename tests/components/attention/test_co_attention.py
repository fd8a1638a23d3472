from __future__ import annotations

import pytest
import torch
from attending import assert_audio_passes_through, assert_gradients_agree
from torch import Tensor, nn

from vsebench.components.attention.co_attention import CoAttention
from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens


def build(**options: object) -> CoAttention:
    torch.manual_seed(1)
    return CoAttention({"image": 6, "text": 5}, 8, **{"heads": 2, **options}).eval()  # type: ignore[arg-type]


def torchs(ours: nn.Module, values: Tensor, context: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """A post-norm block of torch's own parts with our weights."""
    attention = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    layer = ours.attention
    attention.in_proj_weight.data = torch.cat([layer.query.weight, layer.key.weight, layer.value.weight])
    attention.in_proj_bias.data = torch.cat([layer.query.bias, torch.zeros(8), layer.value.bias])
    attention.out_proj.load_state_dict(layer.out.state_dict())
    attended, weights = attention(values, context, context, ~mask, average_attn_weights=False)
    values = nn.functional.layer_norm(values + attended, (8,), ours.norm_attention.weight, ours.norm_attention.bias)
    hidden = nn.functional.gelu(values @ ours.mlp[0].weight.T + ours.mlp[0].bias)
    wanted = values + hidden @ ours.mlp[2].weight.T + ours.mlp[2].bias
    return nn.functional.layer_norm(wanted, (8,), ours.norm_mlp.weight, ours.norm_mlp.bias), weights


@pytest.mark.parametrize("layers", [1, 3])
@torch.no_grad()
def test_equals_torchs_parts_item_by_item(tokens: dict[str, Tokens], layers: int) -> None:
    module, weights = build(layers=layers), {}
    result = module(tokens, weights)
    for b in range(2):
        current = {m: tokens[m].values[b : b + 1, tokens[m].mask[b]] for m in ("image", "text")}
        real = {m: torch.ones(v.shape[:2], dtype=torch.bool) for m, v in current.items()}
        x, y = (module.project[m](current[m]) for m in ("image", "text"))
        for layer in range(layers):
            crossed_x, _ = torchs(module.cross["image"][layer], x, y, real["text"])
            crossed_y, attention = torchs(module.cross["text"][layer], y, x, real["image"])
            x, _ = torchs(module.self_streams["image"][layer], crossed_x, crossed_x, real["image"])
            y, _ = torchs(module.self_streams["text"][layer], crossed_y, crossed_y, real["text"])
            selected = weights[f"co_attention/text_to_image/{layer}"][b, :, : y.shape[1], : x.shape[1]]
            torch.testing.assert_close(selected, attention[0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(result["image"].values[b, tokens["image"].mask[b]], x[0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(result["text"].values[b, tokens["text"].mask[b]], y[0], atol=1e-5, rtol=1e-5)


def test_each_layer_and_direction_has_weights_of_its_own(tokens: dict[str, Tokens]) -> None:
    weights: dict[str, Tensor] = {}
    build(layers=2)(tokens, weights)
    ways = ("text_to_image", "image_to_text")
    assert set(weights) == {f"co_attention/{way}/{layer}" for way in ways for layer in (0, 1)}
    assert weights["co_attention/image_to_text/1"].shape == (2, 2, 4, 3)
    torch.testing.assert_close(weights["co_attention/image_to_text/1"].sum(-1), torch.ones(2, 2, 4))
    assert not weights["co_attention/image_to_text/1"][1, :, :, 1:].any()


def test_the_feed_forward_network_is_as_wide_as_told() -> None:
    assert build(mlp_ratio=1.5).self_streams["text"][0].mlp[0].out_features == 12


def test_other_modalities_pass_through(tokens: dict[str, Tokens]) -> None:
    assert_audio_passes_through(CoAttention({"image": 6, "text": 5, "audio": 3}, 8, heads=2), tokens)


def test_gradients_agree_with_differences() -> None:
    torch.manual_seed(0)
    assert_gradients_agree(CoAttention({"image": 3, "text": 2}, 4, heads=2, layers=2, dropout=0.0))


def test_heads_must_divide_dim() -> None:
    with pytest.raises(ConfigError, match=r"attention 'co_attention': heads \(3\) must divide dim \(8\)\.") as caught:
        build(heads=3)
    assert caught.value.path == ("heads",)
