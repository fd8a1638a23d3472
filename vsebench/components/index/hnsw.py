"""Hierarchical navigable small-world graph."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

from vsebench.components.index._faiss import NeedsFaiss, faiss_module
from vsebench.components.index.base import Index
from vsebench.core.registry import INDEXES

FILE = "hnsw.faiss"


@INDEXES.register("hnsw", source="Malkov and Yashunin 2020, arXiv:1603.09320; Johnson et al. 2021, faiss; methods 7")
class HNSW(NeedsFaiss, Index):
    """Walk a graph of near neighbours towards the query.

    Each vector is joined to ``m`` near ones (2m on the lowest layer); the number of layers that it is on falls
    geometrically. A search walks greedily down the layers and keeps the ``ef_search`` best on the lowest. It may miss a
    hit; ``ef_search`` = n finds nearly all. The graph depends on the order in which threads add vectors; with one
    thread (``OMP_NUM_THREADS=1``) it is always the same.

    Differs from the source: inner products of unit vectors, which rank as distances do.

    Args:
        dim: D, size of a vector (wired).
        m: neighbours of a vector; > 1. More find more and take 8·m bytes per vector.
        ef_construction: candidates looked at when a vector is added; > 0.
        ef_search: candidates kept in a search, at least k of them; > 0.

    Shape: queries (Q, D) -> scores and ids (Q, min(k, n)).

    Raises: ConfigError without faiss.

    Example:
        >>> index = HNSW(2, m=4)
        >>> index.add(np.array([7, 3, 5]), np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]]))
        >>> index.search(np.array([[1.0, 0.9]]), 2)[1].tolist()
        [[5, 7]]
    """

    def __init__(
        self,
        dim: int,
        *,
        m: Annotated[int, Ge(2), Le(512)] = 32,
        ef_construction: Annotated[int, Gt(0)] = 200,
        ef_search: Annotated[int, Gt(0)] = 64,
    ) -> None:
        super().__init__(dim)
        self.ef_search = ef_search
        self.faiss = faiss_module()
        self.graph = self.faiss.IndexHNSWFlat(dim, m, self.faiss.METRIC_INNER_PRODUCT)
        self.graph.hnsw.efConstruction = ef_construction

    @property
    def memory_bytes(self) -> int:
        """Vectors, ids and links."""
        hnsw = self.graph.hnsw
        links = hnsw.neighbors.size() * 4 + hnsw.offsets.size() * 8 + hnsw.levels.size() * 4
        return int(len(self) * self.dim * 4 + links + self.ids.nbytes)

    def _add(self, vectors: np.ndarray) -> None:
        self.graph.add(vectors)

    def _nearest(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        settings = self.faiss.SearchParametersHNSW(efSearch=max(self.ef_search, k))
        # faiss.contrib.torch_utils, which other packages import, puts a search without parameters in the place of this
        # and keeps it under another name.
        search = getattr(self.graph, "search_numpy", self.graph.search)
        scores, positions = search(queries, k, params=settings)
        return scores, positions

    def _write(self, folder: Path) -> None:
        self.faiss.write_index(self.graph, str(folder / FILE))

    def _read(self, folder: Path, vectors: np.ndarray) -> None:
        self.graph = self.faiss.read_index(str(folder / FILE))
