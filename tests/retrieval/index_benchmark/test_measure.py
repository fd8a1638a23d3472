"""Recall against plain loops, and numbers that an index of known behaviour must have."""

from __future__ import annotations

import numpy as np
import pytest

from vsebench.components.index.base import unit_rows
from vsebench.retrieval.index_benchmark.measure import exact, measure, recalls


@pytest.fixture
def vectors() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return unit_rows(rng.normal(size=(300, 8))), unit_rows(rng.normal(size=(40, 8)))


def test_the_truth_is_what_a_loop_finds(vectors: tuple[np.ndarray, np.ndarray]) -> None:
    gallery, queries = vectors
    slow = [sorted((float(x @ q) for x in gallery), reverse=True)[:5] for q in queries]
    np.testing.assert_allclose(exact(gallery, queries, 5), slow, atol=1e-6)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_recall_is_what_a_loop_counts(vectors: tuple[np.ndarray, np.ndarray], k: int) -> None:
    gallery, queries = vectors
    rng = np.random.default_rng(1)
    near = np.argsort(-queries @ gallery.T, axis=1)
    result = np.stack([rng.permutation(row[: 3 * k])[:k] for row in near])
    result[0, -1] = -1  # nothing more was found
    share = [len(set(a) & set(b[:k])) / k for a, b in zip(result, near, strict=True)]
    first = [b[0] in a for a, b in zip(result, near, strict=True)]
    numbers = recalls(result, gallery, queries, exact(gallery, queries, k), k)
    assert numbers[f"recall@{k}"] == pytest.approx(np.mean(share))
    assert numbers[f"1-recall@{k}"] == pytest.approx(np.mean(first))


def test_of_equally_near_vectors_any_counts() -> None:
    gallery = unit_rows(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    query = gallery[:1]
    truth = exact(gallery, query, 1)
    assert [recalls(np.array([[i]]), gallery, query, truth, 1)["recall@1"] for i in range(3)] == [1.0, 1.0, 0.0]


def test_numbers_of_the_exact_index(vectors: tuple[np.ndarray, np.ndarray]) -> None:
    gallery, queries = vectors
    numbers = measure("flat", {}, gallery, queries, exact(gallery, queries, 10), [1, 10])
    assert [numbers[f"{name}@{k}"] for name in ("recall", "1-recall") for k in (1, 10)] == [1.0] * 4
    assert numbers["bytes_per_vector"] == 8 * 4 + 8
    assert numbers["code_bytes"] == 8 * 4
    assert all(numbers[key] > 0 for key in ("qps@1", "qps@10", "qps@1:single", "qps@10:single"))


def test_codes_take_their_bytes_and_lose_some(vectors: tuple[np.ndarray, np.ndarray]) -> None:
    gallery, queries = vectors
    numbers = measure("lsh", {"bits": 64}, gallery, queries, exact(gallery, queries, 10), [10])
    assert numbers["code_bytes"] == 8
    assert 0.2 < numbers["recall@10"] < 1.0
    assert numbers["bytes_per_vector"] > numbers["code_bytes"] + 8, "its directions are counted"
