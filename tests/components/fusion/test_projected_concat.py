from __future__ import annotations

import pytest
import torch

from vsebench.components.fusion.projected_concat import ProjectedConcat
from vsebench.core.errors import ConfigError


@pytest.mark.parametrize(("out", "width"), [("concat", 12), ("half", 6), ("max", 6)])
@torch.no_grad()
def test_equals_a_loop_over_modalities(out: str, width: int) -> None:
    torch.manual_seed(0)
    module = ProjectedConcat({"image": 4, "text": 3}, 6, out=out)  # type: ignore[arg-type]
    vectors = {"image": torch.randn(2, 4), "text": torch.randn(2, 3)}
    result = module(vectors)
    assert result.shape == (2, width)
    assert module.dim_out == width
    for b in range(2):
        parts = []
        for m, v in vectors.items():
            weight, bias = module.project[m].weight, module.project[m].bias
            parts.append([max(0.0, float(weight[d] @ v[b] + bias[d])) for d in range(len(bias))])
        wanted = [max(pair) for pair in zip(*parts, strict=True)] if out == "max" else parts[0] + parts[1]
        torch.testing.assert_close(result[b], torch.tensor(wanted))


def test_half_needs_a_dim_that_the_modalities_divide() -> None:
    message = r"fusion 'projected_concat': 2 modalities must divide dim \(5\) for out: half\."
    with pytest.raises(ConfigError, match=message) as caught:
        ProjectedConcat({"image": 4, "text": 3}, 5, out="half")
    assert caught.value.path == ("out",)
