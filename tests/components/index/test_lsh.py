"""Bits agree as often as angles say; codes rank as faiss's do; buckets hold what a loop over all keys finds."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import faiss
import numpy as np
import pytest

from vsebench.components.index._tables import Table, nearest_flips, to_keys
from vsebench.components.index.base import unit_rows
from vsebench.components.index.lsh import LSH
from vsebench.core.errors import ConfigError
from vsebench.core.registry import INDEXES


def some(count: int, dim: int, seed: int = 0) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).normal(size=(count, dim)))


@pytest.mark.parametrize("orthogonal", [False, True])
@pytest.mark.parametrize("angle", [0.0, 0.1, 0.7, np.pi / 2, 2.5])
def test_bits_agree_as_often_as_the_angle_says(angle: float, orthogonal: bool) -> None:
    bits = 20_000
    index = LSH(16, bits=bits, orthogonal=orthogonal, seed=3)
    a, b = np.linalg.qr(np.random.default_rng(0).normal(size=(16, 2)))[0].T
    pair = np.stack([a, np.cos(angle) * a + np.sin(angle) * b]).astype(np.float32)
    agree = (index.margins(pair) >= 0)[0] == (index.margins(pair) >= 0)[1]
    wanted = 1 - angle / np.pi
    assert abs(agree.mean() - wanted) <= 3 * np.sqrt(wanted * (1 - wanted) / bits) + 1e-12


def test_orthogonal_directions_are_orthogonal() -> None:
    directions = LSH(8, bits=20, orthogonal=True).directions
    for start in (0, 8, 16):
        group = directions[start : start + 8]
        assert np.allclose(group @ group.T, np.eye(len(group)), atol=1e-6)
    assert np.abs(LSH(8, bits=20).directions @ LSH(8, bits=20).directions.T - np.eye(20)).max() > 0.5


@pytest.mark.parametrize("thresholds", [False, True])
def test_same_as_faiss(thresholds: bool) -> None:
    vectors, queries = some(400, 32) + 0.1, some(20, 32, seed=1) + 0.1
    vectors, queries = unit_rows(vectors), unit_rows(queries)
    other: Any = faiss.IndexLSH(32, 24, True, thresholds)
    other.train(vectors)
    other.add(vectors)
    index = LSH(32, bits=24, train_thresholds=thresholds)
    index.directions = faiss.vector_to_array(other.rrot.A).reshape(24, 32)
    index.train(vectors)
    index.add(np.arange(400), vectors)
    if thresholds:
        assert np.allclose(faiss.vector_to_array(other.thresholds), index.thresholds, atol=1e-6)
    distances = other.search(queries, 400)[0]
    assert np.allclose(index.search(queries, 400)[0], np.cos(np.pi * distances / 24), atol=1e-6)


def test_thresholds_halve() -> None:
    vectors = unit_rows(some(1001, 16) + 0.3)
    index = LSH(16, bits=50, train_thresholds=True)
    index.train(vectors)
    assert ((index.margins(vectors) >= 0).sum(0) == 501).all()
    plain = LSH(16, bits=50)
    assert np.abs((plain.margins(vectors) >= 0).mean(0) - 0.5).max() > 0.4


def test_more_bits_find_more() -> None:
    vectors, queries = some(2000, 16), some(50, 16, seed=1)
    truth = np.argsort(-queries @ vectors.T, axis=1)[:, :10]
    shares = []
    for bits in (16, 64, 512):
        index = LSH(16, bits=bits)
        index.add(np.arange(2000), vectors)
        shares.append(share(index.search(queries, 10)[1], truth))
    assert shares[0] < shares[1] < shares[2]


def share(result: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(result.tolist(), truth.tolist(), strict=True)]))


@pytest.mark.parametrize("probes", [0, 1, 5, 31])
def test_buckets_hold_what_a_loop_finds(probes: int) -> None:
    vectors, queries = some(200, 8), some(6, 8, seed=1)
    index = LSH(8, bits=5, tables=3, probes=probes, seed=2)
    index.add(np.arange(200), vectors)
    scores, result = index.search(queries, 200)
    for row, query in enumerate(queries):
        candidates = set()
        for table in np.split(index.directions, 3):
            margins = table @ query
            sets = [s for size in range(6) for s in combinations(range(5), size)]
            flips = sorted(sets, key=lambda s, m=margins: sum(abs(m[j]) for j in s))[: probes + 1]
            keys = [[bool(direction @ vector >= 0) for direction in table] for vector in vectors]
            for flip in flips:
                requested = [bool(margins[j] >= 0) ^ (j in flip) for j in range(5)]
                candidates |= {i for i, key in enumerate(keys) if key == requested}
        here = result[row][result[row] >= 0]
        assert set(here.tolist()) == candidates
        assert np.allclose(scores[row][: len(here)], np.sort(vectors[list(candidates)] @ query)[::-1], atol=1e-6)
        assert (result[row][len(here) :] == -1).all()


def test_more_tables_and_probes_find_more() -> None:
    vectors, queries = some(3000, 16), some(50, 16, seed=1)
    truth = np.argsort(-queries @ vectors.T, axis=1)[:, :10]
    shares = {}
    for tables, probes in [(1, 0), (8, 0), (8, 10), (8, 255)]:
        index = LSH(16, bits=8, tables=tables, probes=probes)
        index.add(np.arange(3000), vectors)
        shares[tables, probes] = share(index.search(queries, 10)[1], truth)
    assert shares[1, 0] < shares[8, 0] < shares[8, 10] < shares[8, 255] == 1


def test_flips_come_in_the_order_of_their_sums() -> None:
    for seed in range(5):
        margins = np.random.default_rng(seed).random(7)
        result = nearest_flips(margins, 1000)
        assert sorted(result) == list(range(128))
        sums = [sum(margins[j] for j in range(7) if flip >> j & 1) for flip in result]
        assert np.allclose(sums, sorted(sums))
        assert nearest_flips(margins, 9) == result[:10]
        assert nearest_flips(margins, 0) == [0]


def test_keys_and_tables() -> None:
    bits = np.random.default_rng(0).random((100, 62)) < 0.5
    keys = to_keys(bits)
    assert keys.tolist() == [sum(1 << j for j in range(62) if row[j]) for row in bits]
    keys = to_keys(bits[:, :3])
    table = Table.of(keys[:60]).extended(keys[60:])
    begins, ends = table.buckets(np.arange(8, dtype=np.uint64))
    for key in range(8):
        assert table.order[begins[key] : ends[key]].tolist() == np.flatnonzero(keys == key).tolist()


def test_memory() -> None:
    vectors = some(100, 8)
    for options, each in [
        ({"bits": 70}, 16),
        ({"bits": 70, "rerank": 2}, 16 + 32),
        ({"bits": 9, "tables": 4}, 4 * 16 + 32),
    ]:
        index = LSH(8, **options)
        index.add(np.arange(100), vectors)
        rows = options["bits"] * options.get("tables", 1)
        assert index.memory_bytes == 100 * (each + 8) + rows * 9 * 4


def test_options_that_do_not_fit() -> None:
    for options, message in [
        ({"tables": 2, "bits": 63}, "at most 62. Got 63"),
        ({"tables": 2, "bits": 8, "rerank": 3}, "leave rerank out"),
        ({"probes": 3}, "give tables too"),
    ]:
        with pytest.raises(ConfigError) as error:
            INDEXES.build("lsh", options, dim=8)
        assert message in str(error.value)
