"""Packed codes differ in as many bits as unpacked ones, and ties go to the smaller id."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
import pytest

from vsebench.components.index import _hamming as module
from vsebench.components.index._hamming import count_bits, distances_between, nearest_codes, pack


@pytest.mark.parametrize("bits", [1, 8, 63, 64, 65, 200])
def test_distances_are_those_of_a_loop(bits: int) -> None:
    rng = np.random.default_rng(bits)
    queries, codes = rng.random((7, bits)) < 0.5, rng.random((50, bits)) < 0.5
    codes[0] = ~queries[0]  # every bit of every byte differs
    result = distances_between(pack(queries), pack(codes))
    assert result.tolist() == [[sum(a != b for a, b in zip(q, c, strict=True)) for c in codes] for q in queries]
    assert result[0, 0] == bits
    signs = np.where(queries, 1, -1) @ np.where(codes, 1, -1).T
    assert (result == (bits - signs) / 2).all()


def test_counted_without_numpy_2(monkeypatch: pytest.MonkeyPatch) -> None:
    words = np.random.default_rng(0).integers(0, 1 << 63, (5, 3), dtype=np.uint64)
    words[0, 0], words[0, 1] = 0, (1 << 64) - 1
    wanted = [[bin(int(word)).count("1") for word in row] for row in words]
    assert count_bits(words).tolist() == wanted
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert count_bits(words).tolist() == wanted
    assert count_bits(words[:, 1:][:, ::2].copy()).tolist() == [row[1:][::2] for row in wanted]


@pytest.mark.parametrize("block", [1 << 23, 40])
@pytest.mark.parametrize("k", [1, 5, 59, 60, 100])
def test_nearest_are_those_of_a_sort(k: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    rng = np.random.default_rng(0)
    queries, codes = pack(rng.random((9, 4)) < 0.5), pack(rng.random((60, 4)) < 0.5)
    ids = rng.permutation(1000)[:60]
    distances, positions = nearest_codes(queries, codes, ids, k)
    for row, here in enumerate(distances_between(queries, codes).tolist()):
        wanted = sorted(range(60), key=lambda i, d=here: (d[i], ids[i]))[:k]
        assert positions[row].tolist() == wanted
        assert distances[row].tolist() == [here[i] for i in wanted]


def test_same_as_faiss() -> None:
    rng = np.random.default_rng(1)
    queries, codes = rng.random((20, 128)) < 0.5, rng.random((500, 128)) < 0.5
    other: Any = faiss.IndexBinaryFlat(128)
    other.add(np.packbits(codes, axis=1))
    wanted = other.search(np.packbits(queries, axis=1), 15)[0]
    assert (nearest_codes(pack(queries), pack(codes), np.arange(500), 15)[0] == wanted).all()


def test_nothing_is_there() -> None:
    none = pack(np.zeros((0, 70), bool))
    assert none.shape == (0, 2)
    assert nearest_codes(pack(np.ones((2, 70), bool)), none, np.zeros(0, np.int64), 3)[1].shape == (2, 0)
