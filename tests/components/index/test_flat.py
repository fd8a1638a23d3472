"""Exact search equals a loop over all vectors and faiss, ties go to the smaller id, blocks change nothing."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest

import vsebench.components.index.flat as module
from vsebench.components.index.flat import Flat


def loop(vectors: np.ndarray, ids: np.ndarray, query: np.ndarray, k: int) -> list[int]:
    """Ids by cosine, one product at a time, equal ones by smaller id."""
    scored = []
    for number, vector in zip(ids, vectors, strict=True):
        norm = np.linalg.norm(vector) * np.linalg.norm(query)
        scored.append((-round(float(vector @ query / norm) if norm else 0.0, 5), int(number)))
    return [number for _, number in sorted(scored)[:k]]


@pytest.fixture
def coarse() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors of few values, so that many scores tie; ids in no order; a zero vector."""
    rng = np.random.default_rng(0)
    vectors = rng.integers(-1, 2, (300, 4)).astype(np.float32)
    vectors[5] = 0
    return vectors, rng.permutation(10_000)[:300], rng.integers(-1, 2, (20, 4)).astype(np.float32)


@pytest.mark.parametrize("block", [1 << 24, 700])
@pytest.mark.parametrize("k", [1, 7, 299, 10**9])
def test_hits_are_those_of_a_loop(coarse: tuple, block: int, k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, ids, queries = coarse
    monkeypatch.setattr(module, "BLOCK", block)
    index = Flat(4)
    index.add(ids[:100], vectors[:100])
    index.add(ids[100:], vectors[100:])
    scores, result = index.search(queries, k)
    assert result.shape == scores.shape == (20, min(k, 300))
    assert (np.diff(scores, axis=1) <= 0).all()
    rounded = np.sort(np.round(scores, 5), axis=1)
    for row, query in enumerate(queries):
        wanted = loop(vectors, ids, query, k)
        cosines = {
            int(i): v for i, v in zip(ids, vectors @ query / np.maximum(1e-9, norms(vectors, query)), strict=True)
        }
        assert np.allclose(rounded[row], sorted(round(float(cosines[i]), 5) for i in wanted), atol=2e-5)


def norms(vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors, axis=1) * np.linalg.norm(query)


def test_ties_go_to_the_smaller_id() -> None:
    vectors = np.array([[1.0, 0.0]] * 6 + [[0.0, 1.0]])
    index = Flat(2)
    index.add(np.array([9, 4, 8, 2, 7, 3, 1]), vectors)
    assert index.search(np.array([[1.0, 0.0]]), 3)[1].tolist() == [[2, 3, 4]]


def test_same_as_faiss() -> None:
    rng = np.random.default_rng(1)
    vectors, queries = rng.normal(size=(2000, 16)), rng.normal(size=(50, 16)).astype(np.float32)
    index = Flat(16)
    index.add(np.arange(2000), vectors)
    other = faiss.IndexFlatIP(16)
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    other.add(unit)
    faiss.normalize_L2(queries)
    wanted = other.search(queries, 10)
    scores, result = index.search(queries, 10)
    assert (result == wanted[1]).all()
    assert np.allclose(scores, wanted[0], atol=1e-5)


def test_saved_and_loaded(coarse: tuple, tmp_path: Path) -> None:
    vectors, ids, queries = coarse
    index, again = Flat(4), Flat(4)
    index.add(ids, vectors)
    index.save(tmp_path / "index")
    again.load(tmp_path / "index", index.vectors)
    assert (again.search(queries, 9)[1] == index.search(queries, 9)[1]).all()
    assert again.memory_bytes == 300 * (4 * 4 + 8)
    with pytest.raises(ValueError, match="the index holds 300 vectors of 4"):
        Flat(4).load(tmp_path / "index", index.vectors[:7])


def test_mistakes() -> None:
    index = Flat(2)
    assert index.search(np.ones((3, 2)), 5)[1].shape == (3, 0)
    index.add(np.array([1]), np.ones((1, 2)))
    for message, call in {
        "must be finite": lambda: index.add(np.array([2]), np.array([[np.nan, 1.0]])),
        "must be (n, 2)": lambda: index.search(np.ones((1, 3)), 1),
        "an id is added twice": lambda: index.add(np.array([1]), np.ones((1, 2))),
        "need as many ids": lambda: index.add(np.array([2, 3]), np.ones((1, 2))),
        "k must be at least 1": lambda: index.search(np.ones((1, 2)), 0),
    }.items():
        with pytest.raises(ValueError) as error:
            call()
        assert message in str(error.value)
