"""Random hyperplanes: codes ranked by Hamming distance, or buckets of hash tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from vsebench.components.index._coded import Coded
from vsebench.components.index._hamming import nearest_codes, pack
from vsebench.components.index._projections import gaussian, orthogonal
from vsebench.components.index._select import best
from vsebench.components.index._tables import Table, nearest_flips, to_keys
from vsebench.core.errors import ConfigError
from vsebench.core.registry import INDEXES

FILE = "codes.npz"
QUERIES = 256


@INDEXES.register("lsh", source="Charikar 2002, STOC; Lv et al. 2007, VLDB (multi-probe); methods 7")
class LSH(Coded):
    """Ask on which side of random hyperplanes a vector lies.

        bit_j(x) = 1[⟨a_j, x⟩ ≥ b_j],   a_j ~ N(0, I);   P(bit_j(q) = bit_j(x)) = 1 − θ/π for b = 0

    Without ``tables``, vectors are codes of ``bits`` bits, compared with every one, equal distances by id:

        score = cos(π · Hamming distance / bits)

    With ``tables``, each table has ``bits`` hyperplanes of its own and a bucket per code. The vectors in the query's
    bucket of each table, and in the ``probes`` buckets whose codes differ in the bits of least total |⟨a_j, q⟩ − b_j|,
    are compared with the query itself. What is in none of them is not found: the rest of k stays empty. All 2^bits − 1
    probes look at everything.

    Differs from the source: thresholds may be medians; p-stable hashing, which is for distances, is not here.

    Args:
        dim: D, size of a vector (wired).
        bits: of a code, or of a table's key, then at most 62; > 0.
        tables: hash tables; > 0. None ranks codes.
        probes: further buckets looked into in each table; ≥ 0.
        orthogonal: directions orthogonal in groups of D, which agree more evenly.
        train_thresholds: b_j = the training vectors' median of ⟨a_j, x⟩ in the place of 0, so that each bit is one for
            half of them.
        rerank: without ``tables``: compare the best rerank · k once more with the query itself; > 0. The vectors are
            then kept in memory too, 4 · D bytes each, as with ``tables``.
        seed: of the directions.

    Shape: queries (Q, D) -> scores and ids (Q, min(k, n)).

    Raises: ConfigError for ``tables`` with more than 62 bits or with ``rerank``, or ``probes`` without ``tables``.

    Example:
        >>> import numpy as np
        >>> index = LSH(2, bits=32)
        >>> index.add(np.array([7, 3, 5]), np.array([[1.0, 0.0], [0.0, 1.0], [-2.0, 0.1]]))
        >>> index.search(np.array([[1.0, 0.1]]), 3)[1].tolist()
        [[7, 3, 5]]
    """

    def __init__(
        self,
        dim: int,
        *,
        bits: Annotated[int, Gt(0)] = 128,
        tables: Annotated[int, Gt(0)] | None = None,
        probes: Annotated[int, Ge(0)] = 0,
        orthogonal: bool = False,
        train_thresholds: bool = False,
        rerank: Annotated[int, Gt(0)] | None = None,
        seed: int = 0,
    ) -> None:
        if tables is not None and bits > 62:
            raise ConfigError(f"with tables, bits are those of a key, at most 62. Got {bits}.", path=("bits",))
        if tables is not None and rerank is not None:
            raise ConfigError("with tables, every candidate is compared anyway; leave rerank out.", path=("rerank",))
        if tables is None and probes:
            raise ConfigError("probes are buckets of tables; give tables too.", path=("probes",))
        # Candidates of tables are ranked by the vectors, which Coded keeps where it re-ranks.
        super().__init__(dim, 1 if tables is not None else rerank)
        self.bits, self.tables, self.probes = bits, tables, probes
        self.directions = _directions(bits * (tables or 1), dim, orthogonal, seed)
        self.thresholds = np.zeros(len(self.directions), np.float32)
        self.codes = pack(np.zeros((0, bits * (tables or 1)), bool))
        self.buckets: list[Table] = []
        if train_thresholds:
            self.needs, self.learns = 1, "the median of its vectors along each direction"

    def margins(self, vectors: np.ndarray) -> np.ndarray:
        """Compute ⟨a_j, x⟩ − b_j, the distance of vectors to each hyperplane. Shape: (n, D) -> (n, bits · tables)."""
        distances: np.ndarray = vectors @ self.directions.T - self.thresholds
        return distances

    def _train(self, vectors: np.ndarray) -> None:
        if self.needs:
            self.thresholds = np.median(vectors @ self.directions.T, axis=0).astype(np.float32)

    def _encode(self, vectors: np.ndarray) -> None:
        bits = self.margins(vectors) >= 0
        if self.tables is None:
            self.codes = np.concatenate([self.codes, pack(bits)])
            return
        new = np.stack([to_keys(part) for part in np.split(bits, self.tables, axis=1)])  # (tables, n)
        if not self.buckets:
            self.buckets = [Table.of(keys) for keys in new]
            return
        self.buckets = [table.extended(keys) for table, keys in zip(self.buckets, new, strict=True)]

    def _nearest(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        if self.tables is None:
            return super()._nearest(queries, k)
        parts = [self._of_buckets(queries[i : i + QUERIES], k) for i in range(0, len(queries), QUERIES)]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def _candidates(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        distances, positions = nearest_codes(pack(self.margins(queries) >= 0), self.codes, self.ids, k)
        return np.cos(np.pi * distances / self.bits), positions

    def _of_buckets(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        result: list[list[np.ndarray]] = [[] for _ in queries]
        margins = np.split(self.margins(queries), len(self.buckets), axis=1)
        for table, margin in zip(self.buckets, margins, strict=True):
            flips = np.array([nearest_flips(row, self.probes) for row in np.abs(margin)], np.uint64)  # (Q, 1 + probes)
            begins, ends = table.buckets(to_keys(margin >= 0)[:, None] ^ flips)
            for row, bucket in zip(*np.nonzero(begins < ends), strict=True):
                result[row].append(table.order[begins[row, bucket] : ends[row, bucket]])
        unions = [np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.int64) for parts in result]
        positions = np.full((len(queries), max(k, *(len(u) for u in unions))), -1, np.int64)
        scores = np.full(positions.shape, -np.inf, np.float32)
        for row, union in enumerate(unions):
            positions[row, : len(union)] = union
            scores[row, : len(union)] = self.vectors[union] @ queries[row]
        return best(scores, positions, self.ids, k)

    def _code_bytes(self) -> int:
        tables = sum(table.keys.nbytes + table.order.nbytes for table in self.buckets)
        return self.codes.nbytes + tables + self.directions.nbytes + self.thresholds.nbytes

    def _write(self, folder: Path) -> None:
        keys, orders = [table.keys for table in self.buckets], [table.order for table in self.buckets]
        np.savez(
            folder / FILE, codes=self.codes, thresholds=self.thresholds, keys=np.array(keys), orders=np.array(orders)
        )

    def _read_codes(self, folder: Path) -> None:
        with np.load(folder / FILE, allow_pickle=False) as arrays:
            self.codes, self.thresholds = arrays["codes"], arrays["thresholds"]
            self.buckets = [Table(*pair) for pair in zip(arrays["keys"], arrays["orders"], strict=True)]


def _directions(rows: int, dim: int, orthogonal_ones: bool, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return orthogonal(rows, dim, rng) if orthogonal_ones else gaussian(rows, dim, rng)
