from __future__ import annotations

import math

import pytest
import torch
from attending import assert_gradients_agree
from torch import Tensor

from vsebench.components.attention.inter import Inter
from vsebench.core.errors import ConfigError
from vsebench.core.types import Tokens


def build(**options: object) -> Inter:
    torch.manual_seed(1)
    return Inter({"image": 6, "text": 5}, 8, **options).eval()  # type: ignore[arg-type]


def slow(module: Inter, regions: Tensor, words: Tensor) -> tuple[Tensor, Tensor, list[list[float]]]:
    """One item without padding, gate by gate and region by region."""
    projected = [module.image(r) for r in regions]
    visual = [sum(projected) / len(projected)]
    concept = sum(module.text(w) for w in words) / len(words)
    all_gates = []
    for _ in range(module.iterations):
        query = module.query(torch.cat([visual[-1], concept]))
        gates = [1 / (1 + math.exp(-float(query @ module.key(v)) / math.sqrt(len(query)))) for v in visual]
        gathered = sum(g * v for g, v in zip(gates, visual, strict=True))
        if module.normalize == "sum":
            gathered = gathered / sum(gates)
        concept = module.norm(concept + module.mlp(module.concept(gathered)))
        scores = [math.exp(float(concept @ p) / math.sqrt(8)) for p in projected]
        visual.append(sum(s / sum(scores) * p for s, p in zip(scores, projected, strict=True)))
        all_gates.append(gates)
    return visual[-1], concept, all_gates


@pytest.mark.parametrize("options", [{}, {"normalize": "sum"}, {"iterations": 1}, {"dim_key": 3, "iterations": 4}])
@torch.no_grad()
def test_equals_a_loop(tokens: dict[str, Tokens], options: dict) -> None:
    module, weights = build(**options), {}
    result = module(tokens, weights)
    for item, (regions, words) in enumerate([(4, 3), (2, 1)]):
        image, text = tokens["image"].values[item, :regions], tokens["text"].values[item, :words]
        visual, concept, gates = slow(module, image, text)
        torch.testing.assert_close(result["image"].values[item, 0], visual, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(result["text"].values[item, 0], concept, atol=1e-5, rtol=1e-5)
        for step, wanted in enumerate(gates):
            torch.testing.assert_close(weights[f"inter/gates/{step}"][item], torch.tensor(wanted))


def test_returns_one_token_of_each_modality(tokens: dict[str, Tokens]) -> None:
    result = build()(tokens)
    for modality in ("image", "text"):
        assert result[modality].values.shape == (2, 1, 8)
        assert result[modality].mask.tolist() == [[True], [True]]


def test_gates_lie_between_0_and_1_and_grow_with_the_memory(tokens: dict[str, Tokens]) -> None:
    weights: dict[str, Tensor] = {}
    build(iterations=3)(tokens, weights)
    for step in range(3):
        gates, regions = weights[f"inter/gates/{step}"], weights[f"inter/regions/{step}"]
        assert gates.shape == (2, step + 1)
        assert bool(((gates > 0) & (gates < 1)).all())
        torch.testing.assert_close(regions.sum(1), torch.ones(2))
        assert not regions[1, 2:].any()


def test_zero_keys_open_every_gate_by_half(tokens: dict[str, Tokens]) -> None:
    module, weights = build(), {}
    torch.nn.init.zeros_(module.key.weight)
    torch.nn.init.zeros_(module.key.bias)
    module(tokens, weights)
    assert weights["inter/gates/2"].tolist() == [[0.5] * 3] * 2


def test_other_modalities_pass_through(tokens: dict[str, Tokens]) -> None:
    audio = Tokens(torch.randn(2, 2, 3), torch.ones(2, 2, dtype=torch.bool))
    module = Inter({"image": 6, "text": 5, "audio": 3}, 8)
    assert module({**tokens, "audio": audio})["audio"] is audio
    assert module.dims_out == {"image": 8, "text": 8, "audio": 3}


def test_gradients_agree_with_differences() -> None:
    torch.manual_seed(0)
    assert_gradients_agree(Inter({"image": 3, "text": 2}, 4, iterations=2), everywhere=True)


def test_no_iterations_are_refused() -> None:
    with pytest.raises(ConfigError, match="option 'iterations' of attention 'inter': must be greater than 0"):
        Inter({"image": 6, "text": 5}, 8, iterations=0)
