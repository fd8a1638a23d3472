"""Kernel canonical correlation analysis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from vsebench.components.fitter._correlation import Correlated, known, moments
from vsebench.components.fitter._kernels import Kernel, kernel_values, median_distance
from vsebench.components.fitter._transform import Transforms, transformed
from vsebench.components.fitter._views import PAIR, generator, matrix
from vsebench.components.fitter.base import FitData
from vsebench.core.errors import ConfigError
from vsebench.core.registry import FITTERS

#: Directions of the landmarks' kernel below this share of the largest are left out: float32 does not hold them.
NULL_KERNEL = 1e-6
#: Items whose kernel values are held at a time.
ROWS = 4096


@FITTERS.register(
    "kernel_cca",
    source="Hardoon et al. 2004, Neural Computation 16; landmarks: Williams and Seeger 2001, NIPS 13; methods 6.2",
    needs=PAIR,
)
class KernelCCA(Correlated):
    """Project onto the functions of images and of texts that correlate most.

        φ(x) = K_zz^(−½) k(z, x),  out = (φ(x) − mean) W · ρ^power,  W by ``cca`` of φ(images) and φ(texts)
        rbf:        k(x, z) = exp(−‖x − z‖² / (width·median))
        chi_square: k(x, z) = exp(−Σ_d (x_d − z_d)²/(|x_d| + |z_d|) / (width·median))
        linear:     k(x, z) = x·z

    z are landmarks, training items drawn at random. When all are landmarks, φ spans the functions of the source, and
    the ridge of Σ_φφ is its penalty κ‖f‖² with κ = (n − 1)·ridge·tr(Σ_φφ)/D_φ; with fewer it is the Nyström
    approximation. Kernel functions can tell nearly all items apart, so that the ridge, not the data, decides how much
    they correlate: it is to be chosen on validation data. ``median`` is that of the distances between landmarks.

    Memory: O(landmarks² + 4096·landmarks) float64 numbers besides the vectors, whatever the number of items. Time:
    O(n·landmarks·(D + landmarks)).

    Differs from the source: landmarks; whole kernel matrices where it orthogonalises them incompletely; kernels are
    centred by their mean over all items.

    Args:
        dims: sizes of the modalities' vectors (wired).
        dim: E, number of directions; > 0.
        kernel: of both modalities, or of each: ``{image: chi_square, text: rbf}``.
        width: factor of the median distance; > 0. Smaller tells nearer items apart.
        ridge: added to both covariances, as a share of the mean variance of φ; ≥ 0.
        landmarks: items that functions are built of; > 1. All of a smaller training split.
        power: of the correlations, by which the directions are weighed; ≥ 0. With 0 all count alike.
        transform: ``{image: sqrt}``, a function of each entry of a modality's vectors, sign(x) √|x|.

    Shape: (B, D_m) -> (B, E)

    Raises: ConfigError for a ``kernel`` of one modality alone. TrainingError for fewer than 2 items, values that are
    not finite, vectors that are all the same, or fewer directions than ``dim``. RuntimeError before the fit.

    Example:
        >>> KernelCCA({"image": 128, "text": 10}, kernel={"image": "chi_square", "text": "rbf"}).dim_out
        10
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        *,
        dim: Annotated[int, Gt(0)] = 10,
        kernel: Kernel | dict[Literal["image", "text"], Kernel] = "rbf",
        width: Annotated[float, Gt(0)] = 1.0,
        ridge: Annotated[float, Ge(0)] = 1.0,
        landmarks: Annotated[int, Gt(1)] = 1000,
        power: Annotated[float, Ge(0)] = 0.0,
        transform: Transforms | None = None,
    ) -> None:
        super().__init__("kernel_cca", dim, dim, ridge, power)
        self.kernels: dict[str, Kernel] = (
            dict.fromkeys(PAIR, kernel) if isinstance(kernel, str) else dict(kernel.items())
        )
        for modality in PAIR:
            if modality not in self.kernels:
                raise ConfigError(f"fitter 'kernel_cca': kernel has none of {modality} vectors.", path=("kernel",))
        self.width, self.landmarks, self.transform = width, landmarks, transform

    def fit(self, data: FitData) -> None:
        """Draw landmarks, and find the directions in their functions."""
        rows = {m: transformed(matrix(data, m, self.who), m, self.transform) for m in PAIR}
        drawn = torch.randperm(len(data), generator=generator(data.seed))[: self.landmarks].sort().values
        for modality in PAIR:
            self._span(data, modality, rows[modality][drawn])
        self.relate(data, moments(self._blocks(rows)))
        data.report(1, {"correlation": float(self.learned("correlations").sum())})

    def embed(self, modality: str, vectors: Tensor) -> Tensor:
        """Projections of new items."""
        known(modality)
        rows = transformed(vectors.float(), modality, self.transform)
        parts = [self.project(modality, self._functions(modality, part)) for part in rows.split(ROWS)]
        return torch.cat(parts) if parts else vectors.new_zeros(0, self.dim_out, dtype=torch.float32)

    def _span(self, data: FitData, modality: str, landmarks: Tensor) -> None:
        """Learn a modality's landmarks (m, D), the width of its kernel, and K_zz^(−½) as (m, r)."""
        kernel = self.kernels[modality]
        width = 1.0 if kernel == "linear" else self.width * median_distance(landmarks, kernel)
        values, axes = torch.linalg.eigh(kernel_values(landmarks, landmarks, kernel, width))
        keep = values > NULL_KERNEL * values[-1]
        self.learn(f"landmarks_{modality}", landmarks.to(data.device))
        self.learn(f"width_{modality}", torch.tensor(width, device=data.device))
        self.learn(f"root_{modality}", (axes[:, keep] / values[keep].sqrt()).to(data.device))

    def _functions(self, modality: str, rows: Tensor) -> Tensor:
        """φ of items, in their type. Shape: (B, D) -> (B, r)."""
        landmarks, width, root = (
            self.learned(f"{what}_{modality}").to(rows) for what in ("landmarks", "width", "root")
        )
        return kernel_values(rows, landmarks, self.kernels[modality], width) @ root

    def _blocks(self, rows: Mapping[str, Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        for image, text in zip(rows["image"].split(ROWS), rows["text"].split(ROWS), strict=True):
            yield self._functions("image", image), self._functions("text", text)
