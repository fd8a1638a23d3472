from __future__ import annotations

import itertools

import pytest
import torch

from vsebench.components.fusion.lowrank import LowRank
from vsebench.components.fusion.outer import Outer
from vsebench.components.fusion.tensor import TensorFusion
from vsebench.core.errors import ConfigError

DIMS = {"image": 4, "text": 3, "audio": 2}


def vectors_of(dims: dict[str, int]) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {m: torch.randn(2, d) for m, d in dims.items()}


def test_equals_a_loop_row_major() -> None:
    vectors = vectors_of(DIMS)
    result = TensorFusion(DIMS, size=None)(vectors)
    for b in range(2):
        with_ones = [[torch.tensor(1.0), *v[b]] for v in vectors.values()]
        wanted = [x * y * z for x, y, z in itertools.product(*with_ones)]
        torch.testing.assert_close(result[b], torch.stack(wanted))


def test_equals_outer_of_the_vectors_with_ones() -> None:
    vectors = vectors_of(DIMS)
    with_ones = {m: torch.cat([torch.ones(2, 1), v], 1) for m, v in vectors.items()}
    wanted = Outer({m: d + 1 for m, d in DIMS.items()}, size=None)(with_ones)
    assert torch.equal(TensorFusion(DIMS, size=None)(vectors), wanted)


def test_holds_one_and_each_vector_itself() -> None:
    vectors = vectors_of({"image": 4, "text": 3})
    result = TensorFusion({"image": 4, "text": 3}, size=None)(vectors).unflatten(-1, (5, 4))
    assert torch.equal(result[:, 0, 0], torch.ones(2))
    assert torch.equal(result[:, 1:, 0], vectors["image"])
    assert torch.equal(result[:, 0, 1:], vectors["text"])


@torch.no_grad()
def test_a_linear_map_of_it_can_be_low_rank_fusion() -> None:
    dims = {"image": 4, "text": 3}
    low = LowRank(dims, 5, rank=2)
    vectors = vectors_of(dims)
    factors = {}
    for m, linear in low.factors.items():
        factors[m] = torch.cat([linear.bias[:, None], linear.weight], 1).view(2, 5, -1)  # (R, D, 1 + D_m)
    weight = torch.einsum("r,rdi,rdj->dij", low.weight, factors["image"], factors["text"]).flatten(1)
    torch.testing.assert_close(low(vectors), TensorFusion(dims, size=None)(vectors) @ weight.T + low.bias)


@torch.no_grad()
def test_size_projects_before_the_product() -> None:
    module = TensorFusion({"image": 4, "text": 3}, size=2)
    vectors = vectors_of({"image": 4, "text": 3})
    projected = {m: module.project[m](v) for m, v in vectors.items()}
    torch.testing.assert_close(module(vectors), TensorFusion({"image": 2, "text": 2}, size=None)(projected))
    assert module.dim_out == 9


def test_a_product_wider_than_the_cap_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        TensorFusion({"image": 2048, "text": 768}, size=None)
    assert str(caught.value) == (
        "fusion 'tensor': 2049 × 769 = 1,575,681 features are more than cap (1,048,576). Set a smaller size."
    )
    assert caught.value.path == ("size",)
