from __future__ import annotations

import math

import pytest
import torch

from vsebench.components.fusion.concat_mlp import ConcatMLP


@pytest.mark.parametrize(("activation", "scalar"), [("relu", lambda x: max(x, 0.0)), ("tanh", math.tanh)])
@torch.no_grad()
def test_equals_a_loop_over_units(activation: str, scalar: object) -> None:
    torch.manual_seed(0)
    options = {"hidden": 6, "layers": 2, "dropout": 0.5, "activation": activation}
    module = ConcatMLP({"image": 4, "text": 3}, 5, **options).eval()  # type: ignore[arg-type]
    vectors = {"image": torch.randn(2, 4), "text": torch.randn(2, 3)}
    result = module(vectors)
    linears = [part for part in module.layers if isinstance(part, torch.nn.Linear)]
    assert len(linears) == 3
    for b in range(2):
        state = vectors["image"][b].tolist() + vectors["text"][b].tolist()
        for layer in linears:
            rows = zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)
            state = [sum(w * s for w, s in zip(row, state, strict=True)) + bias for row, bias in rows]
            if layer is not linears[-1]:
                state = [scalar(s) for s in state]  # type: ignore[operator]
        assert result[b].tolist() == pytest.approx(state, abs=1e-5)


def test_dropout_works_in_training_only() -> None:
    module = ConcatMLP({"image": 4, "text": 3}, 5, dropout=0.5)
    vectors = {"image": torch.randn(2, 4), "text": torch.randn(2, 3)}
    assert not torch.equal(module(vectors), module(vectors))
    assert torch.equal(module.eval()(vectors), module(vectors))
