"""Hits are those of a loop over codes of what the network gives; memory counts the network too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vsebench.components.index import _points as module
from vsebench.components.index.base import Index, unit_rows
from vsebench.components.index.spreading import Spreading
from vsebench.core.errors import ConfigError
from vsebench.core.registry import INDEXES
from vsebench.ops.lattice import Lattice

QUICK: dict[str, Any] = {"hidden": 32, "epochs": 2, "k_neg": 20}


def some(count: int, dim: int = 12, seed: int = 0) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).normal(size=(count, dim)) + 0.2)


def built(vectors: np.ndarray, **options: Any) -> Spreading:
    index = Spreading(vectors.shape[1], **{**QUICK, **options})
    index.train(vectors)
    index.add(np.arange(len(vectors)), vectors)
    return index


@pytest.mark.parametrize("rows", [1 << 16, 37])
@pytest.mark.parametrize("decoded", [False, True])
def test_hits_are_those_of_a_loop(decoded: bool, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS", rows)
    monkeypatch.setattr(module, "BLOCK", 3 * rows)
    vectors, queries = some(200), some(10, seed=1)
    index = built(vectors, dim_out=6, r2=10, decoded=decoded)
    scores, result = index.search(queries, 20)
    lattice = Lattice(6, 10)
    with torch.no_grad():
        spread = [index.network(torch.from_numpy(v[None])).numpy()[0] for v in vectors]
        requested = [index.network(torch.from_numpy(q[None])).numpy()[0] for q in queries]
    points = [lattice.quantize(s[None])[0] / np.sqrt(10) for s in spread]
    for row, query in enumerate(requested):  # the query as it is, not its point
        wanted = np.array([float(query @ point) for point in points])
        assert np.allclose(scores[row], np.sort(wanted)[::-1][:20], atol=1e-4)
        assert np.allclose(scores[row], wanted[result[row]], atol=1e-4)


def test_signs_are_counted_one_by_one() -> None:
    vectors, queries = some(150), some(8, seed=1)
    index = built(vectors, binary=True, dim_out=20)
    scores, result = index.search(queries, 30)
    codes, requested = index.spread(vectors) >= 0, index.spread(queries) >= 0
    for row, query in enumerate(requested):
        away = [sum(bool(a) != bool(b) for a, b in zip(query, code, strict=True)) for code in codes]
        wanted = sorted(zip(away, range(150), strict=True))[:30]
        assert result[row].tolist() == [number for _, number in wanted]
        assert np.allclose(scores[row], [1 - 2 * d / 20 for d, _ in wanted])


def manifold(count: int, seed: int) -> np.ndarray:
    """Twenty clusters on a curved surface of 6 dimensions, in 32."""
    rng = np.random.default_rng(0)
    first, second, centres = rng.normal(size=(6, 64)), rng.normal(size=(64, 32)), rng.normal(size=(20, 6))
    rng = np.random.default_rng(seed)
    inner = centres[rng.integers(0, 20, count)] + 0.35 * rng.normal(size=(count, 6))
    return unit_rows(np.tanh(inner @ first / np.sqrt(6)) @ second)


@pytest.mark.slow
def test_it_finds_more_than_its_lattice_without_a_network() -> None:
    """All at 4 bytes, and more than PQ and LSH. OPQ is ahead: its rotation finds the few directions of this surface."""
    vectors, queries = manifold(3000, 1), manifold(200, 6)
    truth = np.argsort(-queries @ vectors.T, axis=1)[:, :10]
    points = {"dim_out": 16, "r2": 21}
    shares = {}
    for name, options in [
        ("spreading", {**points, "hidden": 256, "epochs": 12, "koleo": 0.02, "k_neg": 20}),
        ("lattice", points),
        ("pq", {"m": 4}),
        ("lsh", {"bits": 32, "orthogonal": True}),
    ]:
        index: Index = INDEXES.build(name, options, dim=32)
        index.train(vectors)
        index.add(np.arange(3000), vectors)
        result = index.search(queries, 10)[1]
        shares[name] = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(result, truth, strict=True)])
    assert shares["spreading"] > shares["lattice"] + 0.1
    assert shares["spreading"] > shares["pq"] + 0.02
    assert shares["spreading"] > shares["lsh"] + 0.2


def test_equal_seeds_give_equal_hits() -> None:
    vectors, queries = some(200), some(20, seed=1)
    first, again, other = (built(vectors, seed=seed).search(queries, 10) for seed in (1, 1, 2))
    assert (first[0] == again[0]).all()
    assert (first[1] == again[1]).all()
    assert (first[1] != other[1]).any()


def test_training_again_starts_again() -> None:
    vectors = some(100)
    index = Spreading(12, **QUICK)
    index.train(vectors)
    once = index.spread(vectors)
    index.train(vectors)
    assert (index.spread(vectors) == once).all()


@pytest.mark.parametrize("options", [{}, {"decoded": True}, {"binary": True}, {"rerank": 3}])
def test_the_network_is_saved(options: dict[str, Any], tmp_path: Path) -> None:
    vectors, queries = some(100), some(10, seed=1)
    index = built(vectors, **options)
    index.save(tmp_path / "index")
    again = Spreading(12, **{**QUICK, **options, "seed": 5})
    assert (again.spread(queries) != index.spread(queries)).any()
    again.load(tmp_path / "index", vectors)
    for name, selected in index.network.state_dict().items():
        assert (again.network.state_dict()[name] == selected).all(), name
    for one, other in zip(index.search(queries, 10), again.search(queries, 10), strict=True):
        assert (one == other).all()
    assert again.memory_bytes == index.memory_bytes
    assert not again.network.training


def test_memory_counts_the_network() -> None:
    vectors = some(100)
    for options, out, each in [
        ({}, 24, 8),
        ({"dim_out": 16, "r2": 21}, 16, 4),
        ({"decoded": True}, 24, 8 + 24),
        ({"rerank": 2}, 24, 8 + 48),
        ({"binary": True}, 64, 8),
        ({"binary": True, "dim_out": 65}, 65, 16),
    ]:
        atoms = 0 if options.get("binary") else Lattice(out, options.get("r2", 79)).atoms.nbytes
        layers = (12 + 1) * 32 + (32 + 1) * 32 + (32 + 1) * out
        norms = 2 * 4 * 32  # scale, shift, mean, variance
        assert built(vectors, **options).memory_bytes == 100 * (each + 8) + 4 * (layers + norms) + 2 * 8 + atoms


def test_duplicates_and_zeros_are_finite() -> None:
    vectors = np.repeat(some(4), 30, axis=0)
    vectors[:5] = 0
    index = built(vectors)
    assert np.isfinite(index.spread(vectors)).all()
    scores, result = index.search(np.zeros((1, 12)), 120)
    assert np.isfinite(scores).all()
    assert sorted(result[0]) == list(range(120))


def test_too_few_vectors() -> None:
    for options, fewest in [({"k_neg": 50}, 51), ({"k_pos": 30, "k_neg": 5}, 31)]:
        index = Spreading(12, **{**QUICK, **options})
        with pytest.raises(ConfigError) as error:
            index.train(some(fewest - 1))
        assert str(error.value) == (
            f"this index learns a network from each vector's {fewest - 1} nearest from at least {fewest} vectors. "
            f"Got {fewest - 1}."
        )
        index.train(some(fewest))


def test_options_that_do_not_fit() -> None:
    for options, message in [
        ({"dim_out": 3, "r2": 7}, "index 'spreading': no point of Z^3 has the squared length 7"),
        ({"binary": True, "r2": 79}, "Leave r2 out"),
        ({"binary": True, "decoded": True}, "Leave decoded out"),
        ({"koleo": -0.1}, "option 'koleo'"),
        ({"batch_size": 1}, "option 'batch_size'"),
        ({"k_neg": 0}, "option 'k_neg'"),
        ({"epochs": 0}, "option 'epochs'"),
    ]:
        with pytest.raises(ConfigError) as error:
            INDEXES.build("spreading", options, dim=12)
        assert message in str(error.value)
