from __future__ import annotations

import math

import pytest
import torch

from vsebench.components.fusion.block import Block
from vsebench.components.fusion.mutan import Mutan
from vsebench.core.errors import ConfigError


def unit_roots(values: list[float]) -> list[float]:
    roots = [math.copysign(math.sqrt(abs(v)), v) for v in values]
    length = math.sqrt(sum(r * r for r in roots))
    return [r / length for r in roots]


@torch.no_grad()
def test_equals_a_loop_over_chunks_with_the_rank_slowest() -> None:
    torch.manual_seed(0)
    module = Block({"image": 4, "text": 2}, 5, size=8, chunks=3, rank=2)
    vectors = {"image": torch.randn(2, 4), "text": torch.randn(2, 2)}
    result = module(vectors)
    chunked = module.chunked
    assert chunked.sizes == [3, 3, 2]
    for b in range(2):
        a, c = (chunked.project[m](v[b]) for m, v in vectors.items())
        whole: list[float] = []
        for start, size, core in zip((0, 3, 6), chunked.sizes, chunked.cores, strict=True):
            current = (a[start : start + size], c[start : start + size])
            y = []
            for k in range(size):
                terms = [
                    math.prod(float(f.weight[r * size + k] @ p) for f, p in zip(core.factors, current, strict=True))
                    for r in range(2)
                ]
                y.append(sum(terms))
            whole += unit_roots(y)
        wanted = chunked.out.weight @ torch.tensor(whole) + chunked.out.bias
        torch.testing.assert_close(result[b], wanted, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_one_chunk_without_normalisation_is_mutan(monkeypatch: pytest.MonkeyPatch) -> None:
    block, mutan = (
        Block({"image": 4, "text": 2}, 5, size=6, chunks=1, rank=2),
        Mutan({"image": 4, "text": 2}, 5, size=6, rank=2),
    )
    mutan.project.load_state_dict(block.chunked.project.state_dict())
    mutan.core.load_state_dict(block.chunked.cores[0].state_dict())
    mutan.out.load_state_dict(block.chunked.out.state_dict())
    monkeypatch.setattr("vsebench.components.fusion._chunked.power_normalize", lambda values, exact: values)
    vectors = {"image": torch.randn(3, 4), "text": torch.randn(3, 2)}
    torch.testing.assert_close(block(vectors), mutan(vectors))


@torch.no_grad()
def test_a_chunk_sees_its_own_features_only() -> None:
    module = Block({"image": 4, "text": 2}, 6, size=6, chunks=3, rank=2)
    module.chunked.out.weight.copy_(torch.eye(6))
    torch.nn.init.zeros_(module.chunked.out.bias)
    vectors = {"image": torch.randn(3, 4), "text": torch.randn(3, 2)}
    before = module(vectors)
    module.chunked.project["image"].weight[4:] += 1.0  # what the last chunk gets
    after = module(vectors)
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])
    torch.testing.assert_close(before[:, 4:].norm(dim=1), torch.ones(3))


def test_the_sizes_of_the_paper_are_spread_evenly() -> None:
    sizes = Block({"image": 4, "text": 2}, 5, rank=1).chunked.sizes
    assert sizes == [89] * 16 + [88] * 2
    assert sum(sizes) == 1600


def test_more_chunks_than_features_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        Block({"image": 4, "text": 2}, 5, size=3, chunks=4)
    assert str(caught.value) == "fusion 'block': chunks (4) must be at most size (3), or a chunk is empty."
    assert caught.value.path == ("chunks",)
