"""What indexes of product-quantised codes share: faiss, and what it asks of its vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vsebench.components.index._coded import Coded
from vsebench.components.index._faiss import NeedsFaiss, faiss_module
from vsebench.core.errors import ConfigError

FILE = "codes.faiss"
#: Rounds of k-means.
ROUNDS = 25


class Quantized(NeedsFaiss, Coded):
    """Vectors as codes in a faiss index of Euclidean distance.

        score = (‖q‖² + 1 − ‖q − x̂‖²) / 2,   x̂ what the code stands for

    For a unit vector, that is the cosine as far as x̂ = x. Distances rank better than products ⟨q, x̂⟩ do: x̂ is shorter
    than x by as much as it is wrong, and a distance knows that.

    A subclass sets ``inner``, the faiss index.
    """

    inner: Any

    def __init__(self, dim: int, rerank: int | None) -> None:
        super().__init__(dim, rerank)
        self.faiss = faiss_module()

    def _train(self, vectors: np.ndarray) -> None:
        self.inner.train(vectors)

    def _encode(self, vectors: np.ndarray) -> None:
        self.inner.add(vectors)

    def _candidates(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        # faiss.contrib.torch_utils, which other packages import, replaces ``search`` and keeps it under another name.
        search = getattr(self.inner, "search_numpy", self.inner.search)
        distances, positions = search(queries, k)
        return ((queries**2).sum(1, keepdims=True) + 1 - distances) / 2, positions

    def _write(self, folder: Path) -> None:
        self.faiss.write_index(self.inner, str(folder / FILE))

    def _read_codes(self, folder: Path) -> None:
        self.inner = self.faiss.read_index(str(folder / FILE))


def refuse_parts(name: str, dim: int, m: int) -> None:
    """Check that a vector divides into ``m`` parts of one size.

    Raises: ConfigError that names the nearest numbers that do.
    """
    if dim % m:
        fits = sorted((n for n in range(1, dim + 1) if not dim % n), key=lambda n: (abs(n - m), n))[:3]
        raise ConfigError(
            f"index '{name}' cuts a vector into m parts of one size; {dim} numbers cannot be cut into {m}. "
            f"m = {', '.join(map(str, sorted(fits)))} would do.",
            path=("m",),
        )


def configure(quantizer: Any, seed: int) -> None:
    """Set how a faiss product quantiser (or an inverted file's coarse one) clusters."""
    quantizer.cp.seed, quantizer.cp.niter = seed, ROUNDS
    quantizer.cp.min_points_per_centroid = 1  # the fewest that are allowed are this index's to say, not a warning's


def centroid_bytes(quantizer: Any) -> int:
    """Bytes of a faiss product quantiser's centroids."""
    return int(quantizer.centroids.size()) * 4
