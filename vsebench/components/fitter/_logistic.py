"""Logistic regressions of many bits on the same features."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from vsebench.core.errors import TrainingError

#: Steps of L-BFGS at most. Preconditioned, some tens are enough.
STEPS = 500

#: A slope that is no fault where rounding ends the descent early; the first one is some √n.
NEARLY_FLAT = 1e-3


def logistic_weights(features: Tensor, codes: Tensor, penalty: float) -> Tensor:
    """Minimise Σ_i log(1 + exp(−b_i ⟨w, φ_i⟩)) + penalty ‖w‖² for every bit at once.

    Bits do not touch each other. L-BFGS runs on V with W = K⁻ᵀV, KKᵀ = ¼ ΦᵀΦ + 2 penalty I: a bound of every bit's
    Hessian, so that directions in which φ hardly varies are as easy as others.

    Shape: φ (n, D), codes −1 and +1 (n, c) -> W float64 (D, c), on the CPU.

    Raises: TrainingError if it does not converge.

    Example:
        >>> phi = torch.tensor([[1.0], [-1.0]])
        >>> bool(logistic_weights(phi, phi, 0.01) > 1)
        True
    """
    from scipy.linalg import solve_triangular
    from scipy.optimize import minimize
    from scipy.special import expit

    phi, signs = features.double().cpu().numpy(), codes.double().cpu().numpy()
    half = np.linalg.cholesky(phi.T @ phi / 4 + 2 * penalty * np.eye(phi.shape[1]))
    shape = (phi.shape[1], signs.shape[1])
    phi_k = solve_triangular(half, phi.T, lower=True).T  # Φ K⁻ᵀ

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        v = flat.reshape(shape)
        weights = solve_triangular(half, v, lower=True, trans="T")
        margins = signs * (phi_k @ v)
        value = np.logaddexp(0, -margins).sum() + penalty * np.square(weights).sum()
        slope = -phi_k.T @ (signs * expit(-margins))
        slope += 2 * penalty * solve_triangular(half, weights, lower=True)
        return float(value), slope.ravel()

    options: Any = {"maxiter": STEPS, "maxfun": 2 * STEPS, "ftol": 1e-10, "gtol": 1e-6, "maxcor": 20}
    solution = minimize(loss, np.zeros(shape[0] * shape[1]), jac=True, method="L-BFGS-B", options=options)
    if not solution.success and not np.abs(solution.jac).max() < NEARLY_FLAT:
        raise TrainingError(
            f"logistic regression of {shape[1]} bits on {shape[0]} features did not converge in {STEPS} steps. "
            "A larger penalty makes it easier."
        )
    return torch.from_numpy(solve_triangular(half, solution.x.reshape(shape), lower=True, trans="T"))
