"""Hits are those of counting signs one by one; vectors of −1 and +1 are compared exactly."""

from __future__ import annotations

import numpy as np

from vsebench.components.index.base import unit_rows
from vsebench.components.index.binary import Binary


def test_hits_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    vectors, queries = rng.normal(size=(200, 10)) + 0.5, rng.normal(size=(15, 10)) + 0.5
    vectors[:50] = np.round(vectors[:50])  # zeros, whose sign is +
    ids = rng.permutation(999)[:200]
    mean = unit_rows(vectors).mean(0)
    for center in (False, True):
        index = Binary(10, center=center)
        index.train(vectors)
        index.add(ids, vectors)
        scores, result = index.search(queries, 30)
        shift = mean if center else np.zeros(10)
        bits = [[bool(v >= s) for v, s in zip(row, shift, strict=True)] for row in unit_rows(vectors)]
        for row, query in enumerate(unit_rows(queries)):
            requested = [bool(v >= s) for v, s in zip(query, shift, strict=True)]
            away = [sum(a != b for a, b in zip(requested, code, strict=True)) for code in bits]
            wanted = sorted(zip(away, ids.tolist(), strict=True))[:30]
            assert result[row].tolist() == [number for _, number in wanted]
            assert np.allclose(scores[row], [1 - 2 * d / 10 for d, _ in wanted])


def test_codes_of_a_hashing_network_are_compared_exactly() -> None:
    rng = np.random.default_rng(1)
    codes, queries = np.sign(rng.normal(size=(500, 32))), np.sign(rng.normal(size=(20, 32)))
    index = Binary(32)
    index.add(np.arange(500), codes)
    scores, result = index.search(queries, 40)
    products = queries @ codes.T / 32
    assert np.allclose(scores, np.sort(products, axis=1)[:, ::-1][:, :40])
    assert np.allclose(scores, np.take_along_axis(products, result, 1))


def test_centred_bits_are_even() -> None:
    vectors = unit_rows(np.random.default_rng(2).normal(size=(3000, 16)) + 2)
    index = Binary(16, center=True)
    index.train(vectors)
    assert np.allclose(index.mean, vectors.mean(0), atol=1e-6)
    assert ((vectors >= 0).mean(0) > 0.95).all()
    assert (np.abs((vectors >= index.mean).mean(0) - 0.5) < 0.05).all()


def test_memory_is_words_mean_and_ids() -> None:
    for dim, words in [(64, 1), (65, 2), (16, 1)]:
        index = Binary(dim)
        index.add(np.arange(100), np.ones((100, dim)))
        assert index.memory_bytes == 100 * (8 * words + 8) + 4 * dim
