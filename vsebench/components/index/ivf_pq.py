"""Product-quantised differences to the centre of one of many cells."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Gt, Le

from vsebench.components.index._quantized import Quantized, centroid_bytes, configure, refuse_parts
from vsebench.core.registry import INDEXES


@INDEXES.register("ivf_pq", source="Jégou et al. 2011, TPAMI 33(1); Johnson et al. 2021, faiss; methods 7")
class IVFPQ(Quantized):
    """Search the cells nearest to the query, whose vectors are coded as differences to the cell's centre.

        cell(x) = argmin_c ‖x − centre_c‖,   x̂ = centre_cell(x) + product quantiser(x − centre_cell(x))
        searched: the ``nprobe`` cells whose centres are nearest to q

    Centres and the quantiser of differences are learned by 25 rounds of k-means. ``nprobe`` = ``nlist`` searches
    everything; fewer cells may hold fewer than k vectors, and the rest then stays empty.

    Differs from the source: k-means starts from random vectors, as faiss does, not by k-means++.

    Args:
        dim: D, size of a vector (wired).
        nlist: cells; > 0. Some 4 √n suit n vectors.
        nprobe: cells searched; > 0, at most ``nlist`` count.
        m: parts; > 0, divides D.
        bits: of a centroid's number; from 3 (faiss's fewest) to 12.
        rerank: compare the best rerank · k once more with the query itself; > 0. The vectors are then kept in memory
            too, 4 · D bytes each. None ranks by codes alone.
        seed: of k-means.

    Shape: queries (Q, D) -> scores and ids (Q, min(k, n)).

    Raises: ConfigError without faiss, if m does not divide D, or for fewer training vectors than 2^bits or ``nlist``.

    Example:
        >>> import numpy as np
        >>> vectors = np.random.default_rng(0).normal(size=(100, 4))
        >>> index = IVFPQ(4, nlist=8, nprobe=2, m=2, bits=4)
        >>> index.train(vectors)
        >>> index.add(np.arange(100), vectors)
        >>> index.search(vectors[:1], 3)[1].shape
        (1, 3)
    """

    def __init__(
        self,
        dim: int,
        *,
        nlist: Annotated[int, Gt(0)] = 64,
        nprobe: Annotated[int, Gt(0)] = 8,
        m: Annotated[int, Gt(0)] = 8,
        bits: Annotated[int, Ge(3), Le(12)] = 8,
        rerank: Annotated[int, Gt(0)] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(dim, rerank)
        refuse_parts("ivf_pq", dim, m)
        self.needs = max(nlist, 2**bits)
        self.learns = f"{nlist} cells and 2^{bits} centroids for each of {m} parts"
        self.nprobe = min(nprobe, nlist)
        self.centres = self.faiss.IndexFlatL2(dim)
        self.inner = self.faiss.IndexIVFPQ(self.centres, dim, nlist, m, bits, self.faiss.METRIC_L2)
        self.inner.nprobe = self.nprobe
        configure(self.inner, seed)
        configure(self.inner.pq, seed)

    def _code_bytes(self) -> int:
        index = self.inner
        tables = int(index.precomputed_table.size()) * 4
        # Each vector lies in a cell's list with its position, 8 bytes.
        lists = len(self) * (int(index.pq.code_size) + 8) + int(index.nlist) * self.dim * 4
        return lists + tables + centroid_bytes(index.pq)

    def _read_codes(self, folder: Path) -> None:
        super()._read_codes(folder)
        self.inner.nprobe = self.nprobe
