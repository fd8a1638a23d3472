from __future__ import annotations

import pytest
import torch

from vsebench.components.fusion.mutan import Mutan
from vsebench.components.fusion.tucker import Tucker

DIMS = {"image": 4, "text": 2, "audio": 3}


@pytest.mark.parametrize("modalities", [("image", "text"), ("image", "text", "audio")])
@torch.no_grad()
def test_equals_a_loop_with_the_rank_slowest(modalities: tuple[str, ...]) -> None:
    torch.manual_seed(0)
    dims = {m: DIMS[m] for m in modalities}
    module, vectors = Mutan(dims, 5, size=3, rank=2), {m: torch.randn(2, d) for m, d in dims.items()}
    result = module(vectors)
    for b in range(2):
        parts = [module.project[m](v[b]) for m, v in vectors.items()]
        y = []
        for k in range(3):
            total = torch.tensor(0.0)
            for r in range(2):
                term = torch.tensor(1.0)
                for factor, part in zip(module.core.factors, parts, strict=True):
                    term = term * (factor.weight[r * 3 + k] @ part)
                total = total + term
            y.append(total)
        torch.testing.assert_close(result[b], module.out.weight @ torch.stack(y) + module.out.bias)


@torch.no_grad()
def test_full_rank_equals_tucker() -> None:
    dims = {"image": 4, "text": 2}
    tucker, mutan = Tucker(dims, 5, size=3), Mutan(dims, 5, size=3, rank=3)
    mutan.project.load_state_dict(tucker.project.state_dict())
    mutan.out.load_state_dict(tucker.out.state_dict())
    core = tucker.core.core.weight.view(3, 3, 3)  # k, i, j
    first, second = (f.weight.view(3, 3, 3) for f in mutan.core.factors)  # r, k, i
    for r in range(3):
        for k in range(3):
            first[r, k] = torch.eye(3)[r]  # picks a_r
            second[r, k] = core[k, r]  # and weighs every b_j with T_{k, r, j}
    vectors = {m: torch.randn(4, d) for m, d in dims.items()}
    torch.testing.assert_close(mutan(vectors), tucker(vectors))


@torch.no_grad()
def test_any_rank_equals_tucker_with_the_sum_of_its_terms() -> None:
    dims = {"image": 4, "text": 2}
    tucker, mutan = Tucker(dims, 5, size=3), Mutan(dims, 5, size=3, rank=2)
    tucker.project.load_state_dict(mutan.project.state_dict())
    tucker.out.load_state_dict(mutan.out.state_dict())
    first, second = (f.weight.view(2, 3, 3) for f in mutan.core.factors)
    tucker.core.core.weight.copy_(torch.einsum("rki,rkj->kij", first, second).flatten(1))
    vectors = {m: torch.randn(4, d) for m, d in dims.items()}
    torch.testing.assert_close(mutan(vectors), tucker(vectors))
