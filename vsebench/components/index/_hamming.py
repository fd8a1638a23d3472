"""Codes of bits: packed into bytes, and ranked by how many differ."""

from __future__ import annotations

import numpy as np

#: Distances computed at a time: 16 MiB of uint16, and 64 MiB of words that differ.
BLOCK = 1 << 23


def pack(bits: np.ndarray) -> np.ndarray:
    """Bits as whole 64-bit words, the rest filled with zeros.

    Shape: bool (n, c) -> uint64 (n, ⌈c / 64⌉).
    """
    packed = np.packbits(bits, axis=1)
    return np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8))).view(np.uint64)


def count_bits(words: np.ndarray) -> np.ndarray:
    """Ones of each word. Shape: uint64 (…) -> uint8 (…)."""
    if hasattr(np, "bitwise_count"):  # numpy 2
        counts: np.ndarray = np.bitwise_count(words)
    else:
        counts = _ONES[words.view(np.uint16)].reshape(*words.shape, 4).sum(-1, dtype=np.uint8)
    return counts


#: Ones of each 16-bit number.
_ONES = np.unpackbits(np.arange(1 << 16, dtype=np.uint16).view(np.uint8).reshape(-1, 2), axis=1).sum(1, dtype=np.uint8)


def nearest_codes(queries: np.ndarray, codes: np.ndarray, ids: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``k`` codes that differ least from each query, in any order; of equal ones those of smaller id.

    Shape: uint64 (Q, w), (n, w), int64 (n,) -> distances int64 (Q, min(k, n)), positions int64 (Q, min(k, n)).
    """
    k = min(k, len(codes))
    distances, positions = np.zeros((len(queries), k), np.int64), np.zeros((len(queries), k), np.int64)
    rows = max(1, BLOCK // max(1, len(codes)))
    for start in range(0, len(queries) if k else 0, rows):
        block = distances_between(queries[start : start + rows], codes)
        for row, here in enumerate(block, start=start):
            # Distances are few: counting them finds the k-th without an order of all.
            farthest = np.searchsorted(np.cumsum(np.bincount(here)), k)
            good = np.flatnonzero(here <= farthest)
            positions[row] = good[np.lexsort((ids[good], here[good]))[:k]]
            distances[row] = here[positions[row]]
    return distances, positions


def distances_between(queries: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Bits in which each query and code differ. Shape: uint64 (Q, w), (n, w) -> uint16 (Q, n)."""
    total = np.zeros((len(queries), len(codes)), np.uint16)
    for word in range(codes.shape[1]):
        total += count_bits(queries[:, word, None] ^ codes[None, :, word])
    return total
