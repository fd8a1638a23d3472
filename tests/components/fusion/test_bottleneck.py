from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from vsebench.components.fusion.bottleneck import Bottleneck, Layer
from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens
from vsebench.ops.positions import sinusoid

TOKEN_DIMS = {"image": 5, "text": 6, "audio": 3}


def build(modalities: tuple[str, ...], **options: object) -> Bottleneck:
    torch.manual_seed(0)
    chosen = {"layers": 2, "bottlenecks": 3, "heads": 2, **options}
    module = Bottleneck(dict.fromkeys(modalities, 2), 8, {m: TOKEN_DIMS[m] for m in modalities}, **chosen)  # type: ignore[arg-type]
    for parameter in module.parameters():  # away from 0.02 · noise, so that every token counts
        if parameter.ndim <= 2:
            torch.nn.init.normal_(parameter, std=0.3)
    return module.eval()


def tokens_of(modality: str, lengths: tuple[int, ...], width: int = 4) -> Tokens:
    mask = torch.arange(width)[None] < torch.tensor(lengths)[:, None]
    return Tokens(torch.randn(len(lengths), width, TOKEN_DIMS[modality]), mask)


def vectors_of(modalities: tuple[str, ...], batch: int) -> dict[str, torch.Tensor]:
    return {m: torch.randn(batch, 2) for m in modalities}


def reference_layer(layer: Layer) -> torch.nn.TransformerEncoderLayer:
    """PyTorch's own layer with the same weights."""
    made = torch.nn.TransformerEncoderLayer(8, 2, 32, 0.0, "gelu", batch_first=True, norm_first=True).eval()
    made.self_attn.in_proj_weight.data.copy_(layer.query_key_value.weight)
    made.self_attn.in_proj_bias.data.copy_(layer.query_key_value.bias)
    made.self_attn.out_proj.load_state_dict(layer.out.state_dict())
    made.norm1.load_state_dict(layer.norm.state_dict())
    made.norm2.load_state_dict(layer.mlp_norm.state_dict())
    made.linear1.load_state_dict(layer.mlp[0].state_dict())
    made.linear2.load_state_dict(layer.mlp[3].state_dict())
    return made


@pytest.mark.parametrize("modalities", [("image", "text"), ("image", "text", "audio")])
@torch.no_grad()
def test_equals_a_loop_over_items_with_torchs_own_layers(modalities: tuple[str, ...]) -> None:
    module = build(modalities)
    lengths = {"image": (4, 4), "text": (3, 1), "audio": (2, 4)}
    tokens = {m: tokens_of(m, lengths[m]) for m in modalities}
    results = module(vectors_of(modalities, 2), tokens)
    for b in range(2):
        shared, states = module.shared, {}
        for m in modalities:
            real = tokens[m].values[b, : lengths[m][b]]
            places = sinusoid(len(real), 8)
            states[m] = torch.cat([module.summary[m][None], module.project[m](real) + places + module.kind[m]])
        for layer in module.layers:
            lines = []
            for m in modalities:
                together = torch.cat([states[m], shared])[None]
                # With gradients on, torch takes its plain way through the layer.
                with torch.enable_grad():
                    result = reference_layer(layer[m])(together)[0].detach()
                states[m], current = result[: len(states[m])], result[len(states[m]) :]
                lines.append(current)
            shared = sum(lines) / len(lines)  # type: ignore[assignment]
        wanted = sum(module.norm(states[m][0]) for m in modalities) / len(modalities)
        torch.testing.assert_close(results[b], wanted, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_padding_never_changes_results() -> None:
    module = build(("image", "text"))
    tokens = {"image": tokens_of("image", (4, 4)), "text": tokens_of("text", (3, 1))}
    vectors = vectors_of(("image", "text"), 2)
    wanted = module(vectors, tokens)
    values = torch.cat([tokens["text"].values, torch.randn(2, 5, 6)], 1)
    mask = torch.cat([tokens["text"].mask, torch.zeros(2, 5, dtype=torch.bool)], 1)
    padded = Tokens(values.masked_fill(~mask[:, :, None], float("nan")), mask)
    torch.testing.assert_close(module(vectors, {**tokens, "text": padded}), wanted)
    for b in range(2):
        alone = {m: Tokens(t.values[b : b + 1], t.mask[b : b + 1]) for m, t in tokens.items()}
        torch.testing.assert_close(module(vectors_of(("image", "text"), 1), alone), wanted[b : b + 1])


@torch.no_grad()
def test_modalities_meet_in_the_bottleneck_only() -> None:
    # In the first layer a modality sees the shared tokens before anybody has written to them: with one layer an image's
    # class token cannot know the text; with two it does.
    tokens = {"image": tokens_of("image", (4, 4)), "text": tokens_of("text", (3, 2))}
    other = {**tokens, "text": tokens_of("text", (3, 2))}
    vectors = vectors_of(("image", "text"), 2)
    for layers, meets in ((1, False), (2, True)):
        module = build(("image", "text"), layers=layers)
        seen = []
        module.norm.register_forward_hook(lambda _, given, __, seen=seen: seen.append(given[0]))  # type: ignore[misc]
        module(vectors, tokens)
        module(vectors, other)
        image, text = (torch.equal(seen[i], seen[i + 2]) for i in range(2))
        assert image != meets
        assert not text


@torch.no_grad()
def test_an_empty_text_is_finite() -> None:
    module = build(("image", "text"))
    tokens = {"image": tokens_of("image", (4, 4)), "text": tokens_of("text", (0, 2))}
    vectors = vectors_of(("image", "text"), 2)
    output = module(vectors, tokens)
    garbage = {**tokens, "text": replace(tokens["text"], values=tokens["text"].values + 7.0)}
    assert bool(output.isfinite().all())
    assert torch.equal(module(vectors, garbage)[0], output[0]), "padding of a text without words has no effect"


def test_heads_must_divide_dim() -> None:
    with pytest.raises(ConfigError, match=r"fusion 'bottleneck': heads \(3\) must divide dim \(8\)\.") as caught:
        build(("image", "text"), heads=3)
    assert caught.value.path == ("heads",)
