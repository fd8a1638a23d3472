"""What all indexes promise: nothing is missed in the exhaustive limit, halves are the whole, loaded is saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vsebench.components.index.base import Index, unit_rows
from vsebench.core.errors import ConfigError
from vsebench.core.registry import INDEXES

DIM, COUNT = 16, 400
ALL = 10**6
#: A network that is trained in no time.
SMALL: dict[str, Any] = {"hidden": 32, "epochs": 2, "k_neg": 12}
#: Options with which everything is compared with the query itself.
EXHAUSTIVE: list[tuple[str, dict[str, Any]]] = [
    ("flat", {}),
    ("hnsw", {"ef_search": COUNT}),
    ("kd_tree", {}),
    ("kd_tree", {"max_leaves": ALL}),
    ("lsh", {"tables": 2, "bits": 4, "probes": 15}),
    ("lsh", {"bits": 24, "rerank": ALL}),
    ("pq", {"m": 4, "bits": 4, "rerank": ALL}),
    ("opq", {"m": 4, "bits": 4, "dim_out": 8, "rerank": ALL}),
    ("ivf_pq", {"nlist": 8, "nprobe": 8, "m": 4, "bits": 4, "rerank": ALL}),
    ("binary", {"center": True, "rerank": ALL}),
    ("lattice", {"dim_out": 8, "r2": 10, "rerank": ALL}),
    ("spreading", {**SMALL, "dim_out": 8, "r2": 10, "rerank": ALL}),
]
#: Options that rank by codes alone, or stop early.
CODES: list[tuple[str, dict[str, Any]]] = [
    ("kd_tree", {"max_leaves": 3}),
    ("lsh", {"tables": 3, "bits": 6, "probes": 2, "orthogonal": True}),
    ("lsh", {"bits": 70, "train_thresholds": True}),
    ("pq", {"m": 4, "bits": 5}),
    ("opq", {"m": 4, "bits": 4}),
    ("ivf_pq", {"nlist": 8, "nprobe": 2, "m": 4, "bits": 4}),
    ("binary", {}),
    ("lattice", {"r2": 21}),
    ("lattice", {"r2": 200, "transform": "rotation", "decoded": True}),
    ("lattice", {"r2": 30, "transform": "none"}),
    ("spreading", {**SMALL, "decoded": True}),
    ("spreading", {**SMALL, "binary": True, "dim_out": 70}),
]
#: Those that learn, and from how many vectors at least.
LEARNS = [
    ("lsh", {"train_thresholds": True}, 1, "the median of its vectors along each direction"),
    ("pq", {"bits": 6}, 64, "2^6 centroids for each of 8 parts"),
    ("opq", {"bits": 3}, DIM, "a rotation of 16 numbers and 2^3 centroids"),
    ("opq", {"bits": 5}, 32, "a rotation of 16 numbers and 2^5 centroids"),
    ("ivf_pq", {"nlist": 100, "bits": 4}, 100, "100 cells and 2^4 centroids for each of 8 parts"),
    ("ivf_pq", {"nlist": 10, "bits": 4}, 16, "10 cells and 2^4 centroids for each of 8 parts"),
    ("binary", {"center": True}, 1, "the mean of its vectors"),
    ("lattice", {}, DIM, "16 directions of greatest variance"),
    ("spreading", {"hidden": 32, "epochs": 1}, 51, "a network from each vector's 50 nearest"),
]


def some(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float32)


def filled(name: str, options: Mapping[str, Any], vectors: np.ndarray, ids: np.ndarray | None = None) -> Index:
    index: Index = INDEXES.build(name, options, dim=vectors.shape[1])
    index.train(vectors)
    index.add(np.arange(len(vectors)) if ids is None else ids, vectors)
    return index


def test_every_index_is_here() -> None:
    assert {name for name, _ in EXHAUSTIVE} == set(INDEXES.names())


@pytest.mark.parametrize(("name", "options"), EXHAUSTIVE)
@pytest.mark.parametrize("k", [1, 10, COUNT])
def test_the_exhaustive_limit_is_flat(name: str, options: dict[str, Any], k: int) -> None:
    ids = np.random.default_rng(1).permutation(9999)[:COUNT]
    vectors, queries = some(COUNT), some(30, seed=2)
    scores, result = filled(name, options, vectors, ids).search(queries, k)
    wanted_scores, wanted = filled("flat", {}, vectors, ids).search(queries, k)
    assert (result == wanted).mean() > 0.999  # neighbours whose scores differ by rounding may change places
    assert np.allclose(scores, wanted_scores, atol=1e-6)


@pytest.mark.parametrize(("name", "options"), [case for case in EXHAUSTIVE + CODES if case[0] != "hnsw"])
def test_halves_are_the_whole(name: str, options: dict[str, Any]) -> None:
    vectors, queries = some(COUNT), some(20, seed=2)
    halves: Index = INDEXES.build(name, options, dim=DIM)
    halves.train(vectors)
    halves.add(np.arange(150), vectors[:150])
    assert halves.search(queries, 5)[1].max() < 150
    halves.add(np.arange(150, COUNT), vectors[150:])
    once = filled(name, options, vectors)
    for one, other in zip(halves.search(queries, 10), once.search(queries, 10), strict=True):
        assert (one == other).all()
    assert halves.memory_bytes == once.memory_bytes > 0


@pytest.mark.parametrize(("name", "options"), EXHAUSTIVE + CODES)
def test_loaded_is_saved(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    vectors, queries = some(COUNT), some(20, seed=2)
    index, again = filled(name, options, vectors), INDEXES.build(name, options, dim=DIM)
    index.save(tmp_path / "index")
    np.save(tmp_path / "vectors.npy", unit_rows(vectors))
    again.load(tmp_path / "index", np.load(tmp_path / "vectors.npy", mmap_mode="r"))
    for one, other in zip(index.search(queries, 10), again.search(queries, 10), strict=True):
        assert (one == other).all()
    assert again.memory_bytes == index.memory_bytes
    again.add(np.arange(COUNT, COUNT + 5), some(5, seed=3))
    assert (again.search(some(5, seed=3), 1)[1][:, 0] >= COUNT).mean() > 0.5


@pytest.mark.parametrize(("name", "options"), EXHAUSTIVE + CODES)
def test_more_hits_than_vectors(name: str, options: dict[str, Any]) -> None:
    scores, result = filled(name, options, some(COUNT)).search(some(3, seed=2), COUNT + 7)
    assert scores.shape == result.shape == (3, COUNT)
    for row in result:
        real = row[row >= 0]
        assert len(set(real.tolist())) == len(real)
        assert name in ("kd_tree", "lsh", "ivf_pq", "hnsw") or len(real) == COUNT
    assert (np.isinf(scores) == (result < 0)).all()


@pytest.mark.parametrize(("name", "options"), EXHAUSTIVE)
def test_equal_vectors_are_all_found(name: str, options: dict[str, Any]) -> None:
    """120 times each axis: many leaves, buckets and cells hold nothing but equal vectors."""
    vectors = np.tile(np.eye(DIM, dtype=np.float32)[:3], (120, 1))
    if name == "hnsw":
        vectors = vectors[:30]
    ids = np.random.default_rng(1).permutation(len(vectors))
    scores, result = filled(name, options, vectors, ids).search(np.eye(DIM)[:3], 40 if name != "hnsw" else 10)
    for axis in range(3):
        wanted = np.sort(ids[axis::3])[: result.shape[1]]
        assert (scores[axis] == 1).all()
        assert set(result[axis]) <= set(ids[axis::3])
        assert name not in ("flat", "kd_tree") or (result[axis] == wanted).all()


@pytest.mark.parametrize(("name", "options"), EXHAUSTIVE + CODES)
def test_zero_vectors_and_queries(name: str, options: dict[str, Any]) -> None:
    vectors = some(COUNT)
    vectors[[3, 70]] = 0
    index = filled(name, options, vectors)
    queries = np.concatenate([np.zeros((1, DIM), np.float32), some(4, seed=2)])
    scores, result = index.search(queries, COUNT)
    assert np.isfinite(scores[result >= 0]).all()
    if (name, options) in EXHAUSTIVE:
        assert np.allclose(scores[0], 0)
        assert np.allclose(scores[np.isin(result, [3, 70])], 0)
        assert result.shape == (5, COUNT)


@pytest.mark.parametrize(("name", "options", "needs", "learns"), LEARNS)
def test_what_learns_must_be_taught_first(name: str, options: dict[str, Any], needs: int, learns: str) -> None:
    index: Index = INDEXES.build(name, options, dim=DIM)
    with pytest.raises(ValueError) as unready:
        index.add(np.arange(3), some(3))
    assert str(unready.value) == f"this index learns {learns}: call train() before add()."
    with pytest.raises(ConfigError) as few:
        index.train(some(needs - 1))
    assert str(few.value) == f"this index learns {learns} from at least {needs} vectors. Got {needs - 1}."
    index.train(some(needs))
    index.add(np.arange(3), some(3))
    with pytest.raises(ValueError, match="before vectors are added; 3 are in it already"):
        index.train(some(needs))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lsh", {"bits": 24}),
        ("pq", {"m": 4, "bits": 4}),
        ("opq", {"m": 4, "bits": 4}),
        ("ivf_pq", {"nlist": 8, "m": 4, "bits": 4}),
        ("lattice", {"dim_out": 8, "transform": "rotation"}),
        ("spreading", SMALL),
    ],
)
def test_a_seed_makes_it_the_same(name: str, options: dict[str, Any]) -> None:
    vectors, queries = some(COUNT), some(20, seed=2)
    first, again, other = (
        filled(name, {**options, "seed": seed}, vectors).search(queries, 10)[1] for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_scores_of_codes_are_near_cosines() -> None:
    vectors, queries = some(COUNT), some(20, seed=2)
    truth = unit_rows(queries) @ unit_rows(vectors).T
    for name, options, off in [
        ("lsh", {"bits": 1024}, 0.05),
        ("pq", {"m": 8, "bits": 8}, 0.05),
        ("opq", {"m": 8, "bits": 8}, 0.05),
        ("ivf_pq", {"nlist": 8, "nprobe": 8, "m": 8, "bits": 8}, 0.05),
        ("lattice", {"r2": 200, "transform": "rotation"}, 0.05),
    ]:
        scores, result = filled(name, options, vectors).search(queries, COUNT)
        wanted = np.take_along_axis(truth, result, 1)
        assert np.abs(scores - wanted).mean() < off, name
