"""Signs of vectors, ranked by how many agree."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Gt

from vsebench.components.index._coded import Coded
from vsebench.components.index._hamming import nearest_codes, pack
from vsebench.core.registry import INDEXES

FILE = "codes.npz"


@INDEXES.register("binary", source="Charikar 2002, STOC; methods 6.6, 7", coarse=True)
class Binary(Coded):
    """Keep a bit per number, its sign, and rank by Hamming distance.

        b_j = 1[x_j ≥ mean_j],   mean = 0 without ``center``
        score = 1 − 2 · #{j : b_j(q) ≠ b_j(x)} / D

    Exact for vectors of −1 and +1, which hashing networks give. Codes are compared in 64-bit words with every one that
    is there; equal distances are ordered by id. A code is D / 8 bytes, rounded up to whole words of 8.

    Args:
        dim: D, size of a vector (wired).
        center: subtract the training vectors' mean first, so that each bit is one for about half of them.
        rerank: compare the best rerank · k once more with the query itself; > 0. The vectors are then kept in memory
            too, 4 · D bytes each. None ranks by codes alone.

    Shape: queries (Q, D) -> scores and ids (Q, min(k, n)).

    Example:
        >>> index = Binary(2)
        >>> index.add(np.array([7, 3, 5]), np.array([[1.0, 1.0], [-1.0, 1.0], [-2.0, -1.0]]))
        >>> [found.tolist() for found in index.search(np.array([[3.0, 1.0]]), 3)]
        [[[1.0, 0.0, -1.0]], [[7, 3, 5]]]
    """

    def __init__(self, dim: int, *, center: bool = False, rerank: Annotated[int, Gt(0)] | None = None) -> None:
        super().__init__(dim, rerank)
        if center:
            self.needs, self.learns = 1, "the mean of its vectors"
        self.mean = np.zeros(dim, np.float32)
        self.codes = pack(np.zeros((0, dim), bool))

    def _train(self, vectors: np.ndarray) -> None:
        if self.needs:
            self.mean = vectors.mean(0, dtype=np.float64).astype(np.float32)

    def _encode(self, vectors: np.ndarray) -> None:
        self.codes = np.concatenate([self.codes, pack(vectors >= self.mean)])

    def _candidates(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        distances, positions = nearest_codes(pack(queries >= self.mean), self.codes, self.ids, k)
        return 1 - 2 * distances / self.dim, positions

    def _code_bytes(self) -> int:
        return self.codes.nbytes + self.mean.nbytes

    def _write(self, folder: Path) -> None:
        np.savez(folder / FILE, codes=self.codes, mean=self.mean)

    def _read_codes(self, folder: Path) -> None:
        with np.load(folder / FILE, allow_pickle=False) as arrays:
            self.codes, self.mean = arrays["codes"], arrays["mean"]
