"""Codes are the nearest centroids, scores those of a loop over tables made from the stored centroids."""

from __future__ import annotations

import faiss
import numpy as np
import pytest

from vsebench.components.index.base import unit_rows
from vsebench.components.index.pq import PQ
from vsebench.core.errors import ConfigError
from vsebench.core.registry import INDEXES

M, BITS, DIM = 4, 4, 12


def some(count: int, seed: int = 0) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).normal(size=(count, DIM)))


def centroids_of(quantizer: object) -> np.ndarray:
    """float32 (m, 2^bits, D / m)."""
    flat = faiss.vector_to_array(quantizer.centroids)  # type: ignore[attr-defined]
    return flat.reshape(quantizer.M, quantizer.ksub, quantizer.dsub)  # type: ignore[attr-defined]


def loop(vectors: np.ndarray, query: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Score of each vector's code, one part of one vector at a time."""
    size = centroids.shape[2]
    scores = []
    for vector in vectors:
        distance = 0.0
        for part, choices in enumerate(centroids.astype(np.float64)):
            here = slice(part * size, (part + 1) * size)
            code = int(((choices - vector[here]) ** 2).sum(1).argmin())
            distance += float(((choices[code] - query[here]) ** 2).sum())
        scores.append((float(query @ query) + 1 - distance) / 2)
    return np.array(scores)


def test_scores_are_those_of_a_loop() -> None:
    vectors, queries = some(200), some(10, seed=1)
    index = PQ(DIM, m=M, bits=BITS)
    index.train(vectors)
    index.add(np.arange(200), vectors)
    scores, result = index.search(queries, 200)
    for row, query in enumerate(queries):
        wanted = loop(vectors, query, centroids_of(index.inner.pq))
        assert np.allclose(scores[row], wanted[result[row]], atol=1e-5)
        assert np.allclose(scores[row], np.sort(wanted)[::-1], atol=1e-5)


def test_the_error_falls_with_bits_and_parts() -> None:
    vectors = some(1000)
    errors = []
    for m, bits in [(2, 4), (4, 4), (4, 6), (12, 8)]:
        index = PQ(DIM, m=m, bits=bits)
        index.train(vectors)
        codes = index.inner.sa_encode(vectors)
        errors.append(float(((index.inner.sa_decode(codes) - vectors) ** 2).sum(1).mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 5 * errors[-1]


def test_memory_is_codes_centroids_and_ids() -> None:
    vectors = some(100)
    for rerank, more in [(None, 0), (3, 4 * DIM)]:
        index = PQ(DIM, m=M, bits=BITS, rerank=rerank)
        index.train(vectors)
        index.add(np.arange(100), vectors)
        assert index.memory_bytes == 100 * (M * BITS // 8 + 8 + more) + 16 * DIM * 4


def test_reranking_finds_more() -> None:
    vectors, queries = some(2000), some(50, seed=1)
    truth = np.argsort(-queries @ vectors.T, axis=1)[:, :10]
    shares = []
    for rerank in (None, 4, 20):
        index = PQ(DIM, m=M, bits=BITS, rerank=rerank)
        index.train(vectors)
        index.add(np.arange(2000), vectors)
        scores, result = index.search(queries, 10)
        shares.append(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(result, truth, strict=True)]))
        if rerank:
            assert np.allclose(scores, np.take_along_axis(queries @ vectors.T, result, 1), atol=1e-6)
    assert shares[0] < shares[1] < shares[2]
    assert shares[2] > 0.95


def test_few_training_vectors_are_enough_without_a_warning(capfd: pytest.CaptureFixture[str]) -> None:
    index = PQ(DIM, m=M, bits=BITS)
    index.train(some(16))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["pq", "opq", "ivf_pq"])
def test_parts_must_fit(name: str) -> None:
    with pytest.raises(ConfigError) as error:
        INDEXES.build(name, {"m": 8}, dim=300)
    assert str(error.value) == (
        f"index '{name}' cuts a vector into m parts of one size; 300 numbers cannot be cut into 8. "
        "m = 5, 6, 10 would do."
    )


@pytest.mark.parametrize("name", ["pq", "opq", "ivf_pq"])
def test_options_are_checked(name: str) -> None:
    with pytest.raises(ConfigError, match="option 'bits'"):
        INDEXES.build(name, {"bits": 2}, dim=16)
    with pytest.raises(ConfigError, match="option 'rerank'"):
        INDEXES.build(name, {"rerank": 0}, dim=16)
