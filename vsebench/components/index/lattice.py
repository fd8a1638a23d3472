"""Points of one length on the integer lattice."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from annotated_types import Gt

from vsebench.components.index._coded import Coded
from vsebench.components.index._points import Points
from vsebench.components.index._projections import orthogonal, principal
from vsebench.components.index.base import unit_rows
from vsebench.core.errors import ConfigError
from vsebench.core.registry import INDEXES
from vsebench.ops.lattice import Lattice

FILE = "codes.npz"
USUAL = 24


@INDEXES.register("lattice", source="Sablayrolles et al. 2019, arXiv:1806.03198; methods 6.6")
class LatticeIndex(Coded):
    """Write a direction as the number of the nearest integer point of one length.

        y = P (x − μ) / ‖P (x − μ)‖,   P: ``dim_out`` directions
        x̂ = z / r,   z = argmax {⟨y, z⟩ : z ∈ Z^dim_out, ‖z‖² = r²}
        score = ⟨P (q − μ) / ‖P (q − μ)‖, x̂⟩

    A code is the point's number, ⌈log₂ (number of points)⌉ bits rounded up to bytes; nothing of the quantiser is
    learned. The query is not quantised. Made for vectors spread evenly over the sphere, such as those of a catalyzer
    trained for it; directions of others bunch, and much of the code is then never used.

    Codes are decoded for each search, some 10 µs each; a batch of queries shares it. ``decoded`` keeps the points.

    | dim_out, r2 | 16, 21 | 16, 200 | 24, 10 | 24, 79 | 32, 8 | 32, 36 | 40, 7 | 40, 24 |
    |--|--|--|--|--|--|--|--|--|
    | bytes | 4 | 7 | 4 | 8 | 4 | 8 | 4 | 8 |

    Args:
        dim: D, size of a vector (wired).
        dim_out: dimensions of the lattice; > 0, at most D. None is 24, or D where that is less.
        r2: r², squared length of its points; > 0.
        transform: how D numbers become ``dim_out``: ``pca`` takes the training vectors' directions of greatest
            variance around their mean μ; ``rotation`` random orthogonal ones with μ = 0; ``none``, for ``dim_out`` = D,
            leaves vectors as they are.
        decoded: keep points in memory as well, ``dim_out`` bytes each, so that a search need not decode them.
        rerank: compare the best rerank · k once more with the query itself; > 0. The vectors are then kept in memory
            too, 4 · D bytes each. None ranks by codes alone.
        seed: of the rotation.

    Shape: queries (Q, D) -> scores and ids (Q, min(k, n)).

    Raises: ConfigError if ``dim_out`` > D, if it is not D without a transform, or if no point has that length.

    Example:
        >>> import numpy as np
        >>> index = LatticeIndex(4, r2=30, transform="none")
        >>> index.add(np.array([7, 3]), np.array([[1.0, 0.0, 2.0, 0.0], [0.0, 1.0, -1.0, 0.5]]))
        >>> index.search(np.array([[1.0, 0.0, 1.0, 0.0]]), 2)[1].tolist()
        [[7, 3]]
    """

    def __init__(
        self,
        dim: int,
        *,
        dim_out: Annotated[int, Gt(0)] | None = None,
        r2: Annotated[int, Gt(0)] = 79,
        transform: Literal["pca", "rotation", "none"] = "pca",
        decoded: bool = False,
        rerank: Annotated[int, Gt(0)] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(dim, rerank)
        size = dim_out or (min(dim, USUAL) if transform != "none" else dim)
        if size > dim:
            raise ConfigError(f"dim_out of index 'lattice' is at most D = {dim}. Got {size}.", path=("dim_out",))
        if transform == "none" and size != dim:
            raise ConfigError(
                f"without a transform, the lattice has the vectors' {dim} dimensions. Got dim_out = {size}.",
                path=("dim_out",),
            )
        try:
            self.lattice = Lattice(size, r2)
        except ValueError as error:
            raise ConfigError(f"index 'lattice': {error}", path=("r2",)) from None
        self.mean = np.zeros(dim, np.float32)
        self.directions: np.ndarray | None = None
        if transform == "rotation":
            self.directions = orthogonal(size, dim, np.random.default_rng(seed))
        elif transform == "pca":
            self.needs, self.learns = size, f"{size} directions of greatest variance"
        self.points = Points(self.lattice, decoded)

    def transformed(self, vectors: np.ndarray) -> np.ndarray:
        """Return the vectors that are quantised. Shape: unit (n, D) -> unit (n, dim_out)."""
        if self.directions is None:
            return vectors
        return unit_rows((vectors - self.mean) @ self.directions.T)

    def _train(self, vectors: np.ndarray) -> None:
        if self.needs:
            self.mean = vectors.mean(0, dtype=np.float64).astype(np.float32)
            self.directions = principal(vectors, self.lattice.dim)

    def _encode(self, vectors: np.ndarray) -> None:
        self.points.add(self.transformed(vectors))

    def _candidates(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        return self.points.nearest(self.transformed(queries), self.ids, k)

    def _code_bytes(self) -> int:
        learned = self.mean.nbytes + (0 if self.directions is None else self.directions.nbytes)
        return self.points.nbytes + learned

    def _write(self, folder: Path) -> None:
        directions = np.zeros((0, self.dim), np.float32) if self.directions is None else self.directions
        np.savez(folder / FILE, codes=self.points.codes, mean=self.mean, directions=directions)

    def _read_codes(self, folder: Path) -> None:
        with np.load(folder / FILE, allow_pickle=False) as arrays:
            self.points.restore(arrays["codes"])
            self.mean = arrays["mean"]
            self.directions = arrays["directions"] if len(arrays["directions"]) else None
