from __future__ import annotations

import pytest
import torch

from vsebench.components.fusion.film import FiLM
from vsebench.core.errors import ConfigError


@pytest.mark.parametrize("by", ["image", "text", "audio"])
@torch.no_grad()
def test_equals_a_loop_over_features(by: str) -> None:
    torch.manual_seed(0)
    dims = {"image": 4, "text": 3, "audio": 2}
    module = FiLM(dims, 5, by=by)  # type: ignore[arg-type]
    vectors = {m: torch.randn(2, d) for m, d in dims.items()}
    result = module(vectors)
    for b in range(2):
        for d in range(5):
            wanted = 0.0
            for m in (m for m in dims if m != by):
                generator, linear = module.modulate[m], module.project[m]
                change = float(generator.weight[d] @ vectors[by][b] + generator.bias[d])
                shift = float(generator.weight[5 + d] @ vectors[by][b] + generator.bias[5 + d])
                wanted += (1 + change) * float(linear.weight[d] @ vectors[m][b] + linear.bias[d]) + shift
            assert float(result[b, d]) == pytest.approx(wanted, abs=1e-5)


@torch.no_grad()
def test_a_modality_that_says_nothing_lets_the_other_through() -> None:
    module = FiLM({"image": 4, "text": 3}, 5)
    module.modulate["image"].weight.zero_()
    module.modulate["image"].bias.zero_()
    vectors = {"image": torch.randn(2, 4), "text": torch.randn(2, 3)}
    assert torch.equal(module(vectors), module.project["image"](vectors["image"]))


@torch.no_grad()
def test_a_scale_of_zero_leaves_the_shift() -> None:
    module = FiLM({"image": 4, "text": 3}, 2)
    module.modulate["image"].weight.zero_()
    module.modulate["image"].bias.copy_(torch.tensor([-1.0, -1.0, 5.0, 6.0]))
    assert module({"image": torch.randn(1, 4), "text": torch.randn(1, 3)}).tolist() == [[5.0, 6.0]]


def test_the_modulating_modality_must_be_there() -> None:
    with pytest.raises(ConfigError, match="fusion 'film': the system has no text to modulate by") as caught:
        FiLM({"image": 4, "audio": 2}, 5)
    assert caught.value.path == ("by",)
