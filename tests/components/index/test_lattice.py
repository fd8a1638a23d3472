"""Hits are those of a loop over quantised directions; codes take the bytes that the lattice says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

from vsebench.components.index import _points as module
from vsebench.components.index.base import Index, unit_rows
from vsebench.components.index.lattice import LatticeIndex
from vsebench.core.errors import ConfigError
from vsebench.core.registry import INDEXES
from vsebench.ops.lattice import Lattice


def some(count: int, dim: int, seed: int = 0) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).normal(size=(count, dim)) + 0.2)


def built(vectors: np.ndarray, **options: object) -> LatticeIndex:
    index = LatticeIndex(vectors.shape[1], **options)  # type: ignore[arg-type]
    index.train(vectors)
    index.add(np.arange(len(vectors)), vectors)
    return index


@pytest.mark.parametrize("rows", [1 << 16, 37])
@pytest.mark.parametrize("decoded", [False, True])
def test_hits_are_those_of_a_loop(decoded: bool, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS", rows)
    monkeypatch.setattr(module, "BLOCK", 3 * rows)
    vectors, queries = some(200, 12), some(10, 12, seed=1)
    index = built(vectors, dim_out=6, r2=10, decoded=decoded)
    scores, result = index.search(queries, 20)
    lattice, pca = Lattice(6, 10), PCA(6, svd_solver="full").fit(vectors)
    signs = np.sign((pca.components_ * index.directions).sum(1, keepdims=True))
    basis = pca.components_ * signs
    assert np.allclose(basis, index.directions, atol=1e-4)
    for row, query in enumerate(queries):
        requested = basis @ (query - pca.mean_)
        requested /= np.linalg.norm(requested)
        wanted = []
        for vector in vectors:
            point = lattice.quantize((basis @ (vector - pca.mean_))[None])[0] / np.sqrt(10)
            wanted.append(float(requested @ point))
        assert np.allclose(scores[row], np.sort(wanted)[::-1][:20], atol=1e-4)
        assert np.allclose(scores[row], np.array(wanted)[result[row]], atol=1e-4)


def test_without_a_transform_points_are_found_as_they_are() -> None:
    lattice = Lattice(6, 10)
    numbers = np.random.default_rng(0).permutation(lattice.count)[:500].tolist()
    points = lattice.points(numbers)
    index = built(points.astype(np.float32), r2=10, transform="none")
    assert (lattice.decode(index.points.codes) == points).all()
    scores, result = index.search(points.astype(np.float32), 1)
    assert (result[:, 0] == np.arange(500)).all()
    assert np.allclose(scores, 1, atol=1e-6)


def test_a_rotation_keeps_cosines() -> None:
    vectors = some(50, 8)
    index = built(vectors, transform="rotation", seed=4)
    turned = index.transformed(vectors)
    assert np.allclose(turned @ turned.T, vectors @ vectors.T, atol=1e-5)
    assert np.abs(turned - vectors).max() > 0.1


def test_more_bits_find_more() -> None:
    vectors, queries = some(2000, 16), some(50, 16, seed=1)
    truth = np.argsort(-queries @ vectors.T, axis=1)[:, :10]
    shares = []
    for r2 in (4, 21, 200):
        result = built(vectors, r2=r2, transform="rotation").search(queries, 10)[1]
        shares.append(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(result, truth, strict=True)]))
    assert shares == sorted(shares)
    assert shares[-1] > shares[0] + 0.3


def test_it_is_ahead_of_learned_and_random_codes_on_an_even_sphere() -> None:
    """All at 8 bytes."""
    rng = np.random.default_rng(0)
    vectors, queries = (unit_rows(rng.normal(size=(n, 24))) for n in (4000, 100))
    truth = np.argsort(-queries @ vectors.T, axis=1)[:, :10]
    shares = []
    for name, options in [("lattice", {"transform": "none"}), ("pq", {}), ("lsh", {"bits": 64, "orthogonal": True})]:
        index: Index = INDEXES.build(name, options, dim=24)
        index.train(vectors)
        index.add(np.arange(len(vectors)), vectors)
        result = index.search(queries, 10)[1]
        shares.append(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(result, truth, strict=True)]))
    assert shares[0] > shares[1] + 0.03 > shares[2] + 0.2


@pytest.mark.parametrize(("dim_out", "r2", "size"), [(16, 21, 4), (16, 200, 7), (24, 79, 8), (40, 24, 8)])
def test_memory_is_codes_and_what_was_learned(dim_out: int, r2: int, size: int) -> None:
    vectors = some(100, 48)
    learned = 4 * 48 * (1 + dim_out) + Lattice(dim_out, r2).atoms.nbytes
    assert built(vectors, dim_out=dim_out, r2=r2).memory_bytes == 100 * (size + 8) + learned
    assert built(vectors, dim_out=dim_out, r2=r2, decoded=True).memory_bytes == 100 * (size + 8 + dim_out) + learned
    assert built(vectors, dim_out=dim_out, r2=r2, rerank=2).memory_bytes == 100 * (size + 8 + 192) + learned


def test_the_rotation_is_saved(tmp_path: Path) -> None:
    vectors = some(50, 8)
    index = built(vectors, transform="rotation", seed=4)
    index.save(tmp_path / "index")
    other = LatticeIndex(8, transform="rotation", seed=5)
    other.load(tmp_path / "index", vectors)
    assert (other.search(vectors, 3)[1] == index.search(vectors, 3)[1]).all()


def test_options_that_do_not_fit() -> None:
    for options, message in [
        ({"dim_out": 13}, "dim_out of index 'lattice' is at most D = 12. Got 13"),
        ({"dim_out": 8, "transform": "none"}, "the vectors' 12 dimensions. Got dim_out = 8"),
        ({"dim_out": 3, "r2": 7}, "no point of Z^3 has the squared length 7"),
        ({"transform": "random"}, "option 'transform'"),
    ]:
        with pytest.raises(ConfigError) as error:
            INDEXES.build("lattice", options, dim=12)
        assert message in str(error.value)
