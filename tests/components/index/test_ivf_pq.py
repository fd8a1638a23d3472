"""Scores are those of a loop over cells, centres and centroids; all cells searched are all vectors."""

from __future__ import annotations

import faiss
import numpy as np
import pytest

from vsebench.components.index.base import unit_rows
from vsebench.components.index.ivf_pq import IVFPQ

DIM, CELLS = 12, 8


def some(count: int, seed: int = 0) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).normal(size=(count, DIM)))


def built(vectors: np.ndarray, **options: int) -> IVFPQ:
    index = IVFPQ(DIM, nlist=CELLS, m=4, bits=4, **options)
    index.train(vectors)
    index.add(np.arange(len(vectors)), vectors)
    return index


def decoded(index: IVFPQ, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each code stands for, and the cells, one vector at a time."""
    centres = index.centres.reconstruct_n(0, CELLS)
    centroids = faiss.vector_to_array(index.inner.pq.centroids).reshape(4, 16, 3)
    points, cells = [], []
    for vector in vectors:
        cell = int(((centres - vector) ** 2).sum(1).argmin())
        parts = (vector - centres[cell]).reshape(4, 3)
        chosen = [c[((c - p) ** 2).sum(1).argmin()] for c, p in zip(centroids, parts, strict=True)]
        points.append(centres[cell] + np.concatenate(chosen))
        cells.append(cell)
    return np.array(points), np.array(cells)


@pytest.mark.parametrize("nprobe", [1, 3, CELLS, 100])
def test_scores_are_those_of_a_loop(nprobe: int) -> None:
    vectors, queries = some(300), some(8, seed=1)
    index = built(vectors, nprobe=nprobe)
    points, cells = decoded(index, vectors)
    centres = index.centres.reconstruct_n(0, CELLS)
    scores, result = index.search(queries, 300)
    for row, query in enumerate(queries):
        near = np.argsort(((centres - query) ** 2).sum(1))[:nprobe]
        wanted = np.flatnonzero(np.isin(cells, near))
        here = result[row][result[row] >= 0]
        assert sorted(here) == wanted.tolist()
        distances = ((points[here] - query) ** 2).sum(1)
        assert np.allclose(scores[row][: len(here)], (query @ query + 1 - distances) / 2, atol=1e-4)
    assert (result >= 0).all() == (nprobe >= CELLS)


def test_more_cells_find_more() -> None:
    vectors, queries = some(3000), some(50, seed=1)
    truth = np.argsort(-queries @ vectors.T, axis=1)[:, :10]
    shares = []
    for nprobe in (1, 4, CELLS):
        result = built(vectors, nprobe=nprobe, rerank=300).search(queries, 10)[1]
        shares.append(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(result, truth, strict=True)]))
    assert shares[0] < shares[1] < shares[2] == 1


def test_memory_counts_lists_centres_and_centroids() -> None:
    index = built(some(100))
    tables = int(index.inner.precomputed_table.size()) * 4
    assert index.memory_bytes == 100 * (2 + 8 + 8) + CELLS * DIM * 4 + 16 * DIM * 4 + tables


def test_training_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    built(some(40))
    assert capfd.readouterr() == ("", "")
