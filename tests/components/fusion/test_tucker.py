from __future__ import annotations

import pytest
import torch

from vsebench.components.fusion.tucker import Tucker
from vsebench.core.errors import ConfigError


@torch.no_grad()
def test_equals_a_loop_over_the_core() -> None:
    torch.manual_seed(0)
    module = Tucker({"image": 4, "text": 2}, 5, size=3)
    vectors = {"image": torch.randn(2, 4), "text": torch.randn(2, 2)}
    result = module(vectors)
    core = module.core.core.weight.view(3, 3, 3)  # output, image, text
    for b in range(2):
        a, c = (module.project[m](v[b]) for m, v in vectors.items())
        y = [sum(core[k, i, j] * a[i] * c[j] for i in range(3) for j in range(3)) for k in range(3)]
        torch.testing.assert_close(result[b], module.out.weight @ torch.stack(y) + module.out.bias)


@torch.no_grad()
def test_three_modalities_contract_a_core_of_four_modes() -> None:
    dims = {"image": 4, "text": 2, "audio": 3}
    module = Tucker(dims, 5, size=3)
    vectors = {m: torch.randn(2, d) for m, d in dims.items()}
    core = module.core.core.weight.view(3, 3, 3, 3)
    parts = [module.project[m](v) for m, v in vectors.items()]
    torch.testing.assert_close(module(vectors), module.out(torch.einsum("kijl,bi,bj,bl->bk", core, *parts)))


@torch.no_grad()
def test_without_biases_it_is_linear_in_each_modality() -> None:
    module = Tucker({"image": 4, "text": 3}, 5, size=6)
    for linear in (*module.project.values(), module.out):
        torch.nn.init.zeros_(linear.bias)
    a, b, text = torch.randn(2, 4), torch.randn(2, 4), torch.randn(2, 3)
    both = module({"image": 2 * a + 3 * b, "text": text})
    torch.testing.assert_close(both, 2 * module({"image": a, "text": text}) + 3 * module({"image": b, "text": text}))


def test_a_core_larger_than_the_cap_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        Tucker({"image": 4, "text": 3, "audio": 2}, 5)
    assert str(caught.value) == (
        "fusion 'tucker': 235 × 235 × 235 × 235 = 3,049,800,625 entries of the core are more than cap (16,777,216). "
        "Set a smaller size."
    )
    assert caught.value.path == ("size",)
