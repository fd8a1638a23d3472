from __future__ import annotations

import math

import pytest
import torch

from vsebench.components.fusion.block import Block
from vsebench.components.fusion.block_tucker import BlockTucker
from vsebench.core.errors import ConfigError


def unit_roots(values: list[float]) -> list[float]:
    roots = [math.copysign(math.sqrt(abs(v)), v) for v in values]
    length = math.sqrt(sum(r * r for r in roots))
    return [r / length for r in roots]


@torch.no_grad()
def test_equals_a_loop_over_chunks() -> None:
    torch.manual_seed(0)
    module = BlockTucker({"image": 4, "text": 2}, 5, size=5, chunks=2)
    vectors = {"image": torch.randn(2, 4), "text": torch.randn(2, 2)}
    result = module(vectors)
    chunked = module.chunked
    for b in range(2):
        a, c = (chunked.project[m](v[b]).tolist() for m, v in vectors.items())
        whole: list[float] = []
        for start, size, core in zip((0, 3), (3, 2), chunked.cores, strict=True):
            tensor = core.core.weight.view(size, size, size).tolist()
            span = range(size)
            y = [sum(tensor[k][i][j] * a[start + i] * c[start + j] for i in span for j in span) for k in span]
            whole += unit_roots(y)
        wanted = chunked.out.weight @ torch.tensor(whole) + chunked.out.bias
        torch.testing.assert_close(result[b], wanted, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_cores_of_low_rank_are_block() -> None:
    dims, options = {"image": 4, "text": 2}, {"size": 6, "chunks": 2}
    full, low = BlockTucker(dims, 5, **options), Block(dims, 5, rank=2, **options)
    full.chunked.project.load_state_dict(low.chunked.project.state_dict())
    full.chunked.out.load_state_dict(low.chunked.out.state_dict())
    for whole, core in zip(full.chunked.cores, low.chunked.cores, strict=True):
        first, second = (f.weight.view(2, 3, 3) for f in core.factors)
        whole.core.weight.copy_(torch.einsum("rki,rkj->kij", first, second).flatten(1))
    vectors = {"image": torch.randn(3, 4), "text": torch.randn(3, 2)}
    torch.testing.assert_close(full(vectors), low(vectors), atol=1e-5, rtol=1e-4)


def test_cores_larger_than_the_cap_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        BlockTucker({"image": 4, "text": 2, "audio": 3}, 5, size=100, chunks=3, cap=3_000_000)
    assert str(caught.value) == (
        "fusion 'block_tucker': 3 cores of up to 34^4 entries have 3,708,178 together, more than cap (3,000,000). "
        "Set a smaller size or more chunks."
    )
    assert caught.value.path == ("size",)


def test_more_chunks_than_features_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"fusion 'block_tucker': chunks \(4\) must be at most size \(3\)"):
        BlockTucker({"image": 4, "text": 2}, 5, size=3, chunks=4)
