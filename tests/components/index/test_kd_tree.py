"""Hits are those of brute force and of scikit-learn; leaves are those that a walk with a heap visits."""

from __future__ import annotations

import heapq

import numpy as np
import pytest
from sklearn.neighbors import KDTree as Other

from vsebench.components.index.base import unit_rows
from vsebench.components.index.flat import Flat
from vsebench.components.index.kd_tree import KDTree


def some(count: int, dim: int, seed: int = 0) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).normal(size=(count, dim)))


def built(vectors: np.ndarray, max_leaves: int | None = None) -> KDTree:
    index = KDTree(vectors.shape[1], max_leaves=max_leaves)
    index.add(np.arange(len(vectors)), vectors)
    return index


def walk(index: KDTree, query: np.ndarray, k: int, most: float) -> tuple[list[int], int]:
    """Best bin first with a heap of nodes, their boxes written out: positions found, leaves visited."""
    tree, data = index.boxes.tree, index.boxes.tree.data
    point = np.append(query.astype(np.float64), 0.0)

    def away(low: np.ndarray, high: np.ndarray) -> float:
        return float((np.maximum(np.maximum(low - point, point - high), 0) ** 2).sum())

    heap = [(away(tree.mins, tree.maxes), 0, tree.tree, tree.mins.copy(), tree.maxes.copy())]
    results: list[tuple[float, int]] = []
    count, visited = 0, 0
    while heap and visited < most:
        bound, _, node, low, high = heapq.heappop(heap)
        if len(results) == k and bound >= results[-1][0]:
            break
        if node.split_dim < 0:
            visited += 1
            results += [(float(((data[i] - point) ** 2).sum()), int(i)) for i in node.indices]
            results = sorted(results)[:k]
            continue
        for child, side in ((node.lesser, high), (node.greater, low)):
            ends = (low.copy(), side.copy()) if side is high else (side.copy(), high.copy())
            ends[1 if side is high else 0][node.split_dim] = node.split
            count += 1
            heapq.heappush(heap, (away(*ends), count, child, *ends))
    return [i for _, i in results], visited


@pytest.mark.parametrize("dim", [1, 2, 5, 20])
def test_hits_are_those_of_brute_force(dim: int) -> None:
    vectors, queries = some(1500, dim), some(40, dim, seed=1)
    vectors[::9] = vectors[0]
    flat = Flat(dim)
    flat.add(np.arange(1500), vectors)
    for k in (1, 10, 400, 1500):
        scores = built(vectors).search(queries, k)[0]
        assert np.allclose(scores, flat.search(queries, k)[0], atol=1e-6)


def test_same_as_scikit_learn() -> None:
    vectors, queries = some(1500, 6), some(40, 6, seed=1)
    wanted = Other(vectors, leaf_size=10).query(queries, 10)[1]
    assert (built(vectors).search(queries, 10)[1] == wanted).all()


@pytest.mark.parametrize("max_leaves", [1, 4, 30, None])
@pytest.mark.parametrize("dim", [2, 6])
def test_leaves_are_those_of_a_walk(dim: int, max_leaves: int | None) -> None:
    vectors, queries = some(900, dim), some(25, dim, seed=1)
    index = built(vectors, max_leaves)
    result, visited = index.search(queries, 5)[1], index.visited_leaves(queries, 5)
    for row, query in enumerate(queries):
        wanted, leaves = walk(index, query, 5, max_leaves or np.inf)
        assert visited[row] == leaves
        assert set(result[row][result[row] >= 0].tolist()) == set(wanted)


def test_every_vector_is_in_one_leaf_of_at_most_ten() -> None:
    index = built(some(777, 4))
    every = np.arange(len(index.boxes._starts))
    members = index.boxes.members(every[:, None])
    assert sorted(members[members >= 0].tolist()) == list(range(777))
    assert members.shape[1] <= 10
    inside = index.boxes.distances(index.boxes.tree.data)  # each in a box of its own
    for leaf, row in enumerate(members):
        assert (inside[row[row >= 0], leaf] == 0).all()


def test_more_leaves_find_more_and_more_dimensions_need_more() -> None:
    vectors, queries = some(3000, 12), some(40, 12, seed=1)
    truth = built(vectors).search(queries, 10)[1]
    shares = []
    for most in (1, 10, 100, 10**6):
        result = built(vectors, most).search(queries, 10)[1]
        shares.append(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(result, truth, strict=True)]))
    assert shares == sorted(set(shares))
    assert shares[-1] == 1
    visited = [float(built(some(3000, d)).visited_leaves(some(20, d, seed=1), 1).mean()) for d in (2, 8, 30)]
    leaves = len(built(some(3000, 30)).boxes._starts)
    assert visited[0] < 5 < visited[1] < 0.9 * leaves < visited[2]


def test_ties_go_to_the_smaller_id() -> None:
    vectors = np.tile(np.eye(3, dtype=np.float32), (40, 1))
    index = KDTree(3)
    index.add(np.arange(120)[::-1], vectors)
    assert index.search(np.eye(3)[:1], 5)[1].tolist() == [[2, 5, 8, 11, 14]]


def test_one_vector_is_a_tree() -> None:
    index = built(some(1, 3))
    assert index.search(some(2, 3, seed=1), 4)[1].tolist() == [[0], [0]]
    assert index.visited_leaves(some(2, 3, seed=1), 4).tolist() == [1, 1]
    assert built(some(1, 3), 5).search(some(2, 3), 1)[1].tolist() == [[0], [0]]


def test_memory_counts_both_copies() -> None:
    index = built(some(500, 7))
    nodes = index.boxes.tree.size * 72
    assert index.memory_bytes == 500 * (7 * 4 + 8 * 8 + 8 + 8) + nodes
    assert KDTree(7).memory_bytes == 0
