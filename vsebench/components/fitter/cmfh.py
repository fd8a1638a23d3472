"""Collective matrix factorisation hashing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor

from vsebench.components.fitter._projection import SignedProjection
from vsebench.components.fitter._views import PAIR, centred, generator
from vsebench.components.fitter.base import FitData
from vsebench.core.registry import FITTERS


@FITTERS.register(
    "cmfh",
    source="Ding et al. 2014, CVPR: Collective matrix factorization hashing for multimodal data; methods 6.2",
    codes=True,
    needs=PAIR,
)
class CMFH(SignedProjection):
    """Take the signs of linear projections onto the factor that both modalities' matrices share.

        J = Σ_m α_m [‖X_m − V U_m‖² + μ ‖V − X_m P_m‖² + γ (‖U_m‖² + ‖P_m‖² + ‖V‖²)]
        U_m = (VᵀV + γI)⁻¹ VᵀX_m
        P_m = (X_mᵀX_m + (γ/μ)I)⁻¹ X_mᵀV
        V   = [Σ_m α_m X_m (U_mᵀ + μP_m)] [Σ_m α_m (U_mU_mᵀ + (μ+γ)I)]⁻¹

    in turns from a random V, each step exact, so that J never grows. A code is sign((x − mean) P_m), also of a
    training item: its other modality is not looked at.

    Differs from the source: μ is weighted by α too, as in the journal version.

    Args:
        dims: sizes of the modalities' vectors (wired).
        bits: c, length of a code and number of factors.
        alpha: weight of the image matrix, that of the text matrix being 1 − alpha; in (0, 1).
        mu: weight of the projections; > 0.
        gamma: weight of the squared norms; > 0.
        iterations: turns at most; > 0.
        tolerance: a turn that lowers J by less than this share is the last; ≥ 0.

    Shape: (B, D_m) -> (B, c), −1 and +1.

    Raises: ConfigError if ``alpha`` is not in (0, 1). TrainingError for vectors that are all the same. RuntimeError
    before the fit.

    Example:
        >>> CMFH({"image": 128, "text": 10}, bits=32).dim_out
        32
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        *,
        bits: Annotated[int, Gt(0)] = 16,
        alpha: Annotated[float, Gt(0), Lt(1)] = 0.5,
        mu: Annotated[float, Gt(0)] = 100.0,
        gamma: Annotated[float, Gt(0)] = 0.01,
        iterations: Annotated[int, Gt(0)] = 25,
        tolerance: Annotated[float, Ge(0)] = 1e-5,
    ) -> None:
        super().__init__(dims, bits)
        self.alpha, self.mu, self.gamma = (alpha, 1 - alpha), mu, gamma
        self.iterations, self.tolerance = iterations, tolerance

    def fit(self, data: FitData) -> None:
        """Factorise in turns."""
        views, means = zip(*(centred(data, m, "cmfh") for m in PAIR), strict=True)
        inverses = [inverse_of(x.T @ x, self.gamma / self.mu) for x in views]
        shared = torch.randn(len(data), self.dim_out, generator=generator(data.seed), dtype=torch.float64)
        before = float("inf")
        for step in range(1, self.iterations + 1):
            bases = [inverse_of(shared.T @ shared, self.gamma) @ (shared.T @ x) for x in views]
            weights = [inverse @ (x.T @ shared) for inverse, x in zip(inverses, views, strict=True)]
            shared = self._shared(views, bases, weights)
            value = self.objective(views, shared, bases, weights)
            data.report(step, {"objective": value})
            if before - value < self.tolerance * abs(value):
                break
            before = value
        for modality, mean, inverse, x in zip(PAIR, means, inverses, views, strict=True):
            self.keep(data, modality, mean, inverse @ (x.T @ shared))

    def _shared(self, views: tuple[Tensor, ...], bases: list[Tensor], weights: list[Tensor]) -> Tensor:
        """Return the best V for given U and P."""
        eye = torch.eye(self.dim_out, dtype=torch.float64)
        parts = list(zip(self.alpha, views, bases, weights, strict=True))
        pulled = torch.stack([a * (x @ (u.T + self.mu * p)) for a, x, u, p in parts]).sum(dim=0)
        square = torch.stack([a * (u @ u.T + (self.mu + self.gamma) * eye) for a, _, u, _ in parts]).sum(dim=0)
        codes: Tensor = torch.linalg.solve(square, pulled.T).T
        return codes

    def objective(self, views: tuple[Tensor, ...], shared: Tensor, bases: list[Tensor], weights: list[Tensor]) -> float:
        """J. Shape: X_m (n, D_m), V (n, c), U_m (c, D_m), P_m (D_m, c)."""
        total = 0.0
        for alpha, x, u, p in zip(self.alpha, views, bases, weights, strict=True):
            fits = (x - shared @ u).square().sum() + self.mu * (shared - x @ p).square().sum()
            norms = u.square().sum() + p.square().sum() + shared.square().sum()
            total += alpha * float(fits + self.gamma * norms)
        return total


def inverse_of(square: Tensor, ridge: float) -> Tensor:
    """Compute (A + ridge·I)⁻¹ of a symmetric positive semidefinite A."""
    return torch.cholesky_inverse(torch.linalg.cholesky(square + ridge * torch.eye(len(square), dtype=square.dtype)))
